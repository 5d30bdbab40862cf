#include "plots/line_figures.h"

#include <algorithm>

#include "plots/figure_text.h"

namespace moescope {
namespace {

void add_reference(Figure& figure, const std::optional<double>& value, const std::string& name,
                   double unit_size) {
  if (!value || !std::isfinite(*value)) return;
  figure.references.push_back({*value / unit_size, name + " " + format_number(*value / unit_size, 3)});
}

/// [C, L] of what was chosen.
Values by_layer(const RunFile& run, const FigureChoice& choice, const LayerLines& what) {
  const bool pooled = !what.pooled_metric.empty() && run.contains("/metrics/" + what.pooled_metric);
  if (choice.domain.empty() && pooled) return read_values(run, "/metrics/" + what.pooled_metric);
  const Values values = read_values(run, "/metrics/" + what.metric);
  if (values.shape.size() == 2) return values;
  if (choice.domain.empty()) return average_over_domains(run, values);
  return of_domain(values, find_label(read_labels(run).domains, choice.domain, 0, "domain"));
}

}  // namespace

Figure metric_figure(const RunFile& run, const std::string& name, const std::string& reading,
                     double unit_size) {
  const MetricText text = metric_text(run, name);
  Figure figure;
  figure.title = text.title;
  figure.caption = text.description + (reading.empty() ? "" : " " + reading);
  figure.formula = text.formula;
  figure.source = text.source;
  add_reference(figure, text.chance, "chance", unit_size);
  // A lower bound of 0 is where such an axis begins anyway.
  if (text.lower_bound.value_or(0) != 0) add_reference(figure, text.lower_bound, "lower bound", unit_size);
  add_reference(figure, text.upper_bound, "upper bound", unit_size);
  return figure;
}

Series progress_line(const std::string& label, std::size_t color, const Progress& progress) {
  Series series;
  series.label = label;
  series.color = color;
  series.x = progress.x;
  return series;
}

void color_by_layer(Figure& figure, const RunLabels& labels) {
  figure.line_colors = LineColors::sequence;
  figure.color_key_label = "MoE layer";
  figure.color_key = labels.moe_layers;
}

Figure layer_lines(const RunFile& run, const FigureChoice& choice, const LayerLines& what) {
  const RunLabels labels = read_labels(run);
  const Progress progress = training_progress(labels);
  const Values values = by_layer(run, choice, what);
  Figure figure = metric_figure(run, what.metric, layers_reading, what.unit_size);
  figure.id = what.id;
  if (!choice.domain.empty()) figure.title += ", " + choice.domain;
  figure.x = progress.axis;
  figure.y.label = what.y_label;
  if (what.from_zero) figure.y.minimum = 0;
  figure.y.maximum = what.top;
  color_by_layer(figure, labels);
  Panel& panel = figure.panels.emplace_back();
  for (std::size_t layer = 0; layer < labels.moe_layers.size(); ++layer) {
    Series& series =
        panel.series.emplace_back(progress_line("layer " + labels.moe_layers[layer], layer, progress));
    for (std::size_t c = 0; c < progress.x.size(); ++c)
      series.y.push_back(values.at(c, layer) / what.unit_size);
  }
  return figure;
}

std::string over_layers_reading(std::size_t lines) {
  return lines <= most_bands ? "Line: mean over MoE layers; band: 5 % to 95 % of the layers."
                             : "Means over MoE layers.";
}

Figure domain_lines(const RunFile& run, const std::string& metric, const std::string& y_label) {
  const RunLabels labels = read_labels(run);
  const Progress progress = training_progress(labels);
  const Values values = read_values(run, "/metrics/" + metric);
  const std::size_t layers = labels.moe_layers.size();
  const bool banded = labels.domains.size() <= most_bands;
  Figure figure = metric_figure(run, metric, over_layers_reading(labels.domains.size()));
  figure.title += " by domain";
  figure.x = progress.axis;
  figure.y.label = y_label;
  Panel& panel = figure.panels.emplace_back();
  for (std::size_t d = 0; d < labels.domains.size(); ++d) {
    Series& series = panel.series.emplace_back(progress_line(labels.domains[d], d, progress));
    for (std::size_t c = 0; c < progress.x.size(); ++c) {
      std::vector<double> of_layers(layers);
      for (std::size_t layer = 0; layer < layers; ++layer) of_layers[layer] = values.at(c, d, layer);
      series.y.push_back(mean_of(of_layers));
      if (!banded) continue;
      series.low.push_back(quantile_of(of_layers, 0.05));
      series.high.push_back(quantile_of(of_layers, 0.95));
    }
  }
  return figure;
}

Figure role_lines(
    const RunFile& run, const RoleLines& what,
    const std::function<double(const Values& metric, std::size_t checkpoint, std::size_t role)>& value) {
  const RunLabels labels = read_labels(run);
  const Progress progress = training_progress(labels);
  const Values metric = read_values(run, "/metrics/" + what.metric);
  Figure figure = metric_figure(run, what.metric, what.reading);
  figure.id = what.id;
  figure.title = what.title;
  figure.x = progress.axis;
  figure.y.label = what.y_label;
  Panel& panel = figure.panels.emplace_back();
  for (std::size_t role = 0; role < labels.roles.size(); ++role) {
    Series series = progress_line(labels.roles[role], role, progress);
    series.total = series.label == whole_model_label;
    for (std::size_t c = 0; c < progress.x.size(); ++c) series.y.push_back(value(metric, c, role));
    const bool exists =
        std::any_of(series.y.begin(), series.y.end(), [](double y) { return std::isfinite(y); });
    if (exists) panel.series.push_back(std::move(series));
  }
  return figure;
}

}  // namespace moescope
