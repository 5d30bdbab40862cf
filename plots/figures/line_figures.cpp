#include "plots/figures/line_figures.h"

#include <algorithm>

#include "plots/figure/figure_text.h"

namespace moescope {
namespace {

void add_reference(Figure& figure, const std::optional<double>& value, const std::string& name,
                   double unit_size) {
  if (!value || !std::isfinite(*value / unit_size)) return;
  figure.references.push_back({*value / unit_size, name + " " + format_number(*value / unit_size, 3)});
}

/// Whether the tokens of all domains are shown together.
bool shows_pooled(const RunFile& run, const FigureChoice& choice, const LayerLines& what) {
  return choice.domain.empty() && !what.pooled_metric.empty() &&
         run.contains("/metrics/" + what.pooled_metric);
}

/// [C, L] of what was chosen.
Values by_layer(const RunFile& run, const FigureChoice& choice, const LayerLines& what) {
  if (shows_pooled(run, choice, what)) return read_values(run, "/metrics/" + what.pooled_metric);
  const Values values = read_values(run, "/metrics/" + what.metric);
  if (values.shape.size() == 2) return values;
  if (choice.domain.empty()) return average_over_domains(run, values);
  return of_domain(values, find_label(read_labels(run).domains, choice.domain, 0, "domain"));
}

/// Random routing of as many tokens as are shown.
std::vector<double> random_levels(const RunFile& run, const FigureChoice& choice, const LayerLines& what) {
  if (shows_pooled(run, choice, what)) {
    const std::optional<double> chance = metric_text(run, what.pooled_metric).chance;
    return chance ? std::vector<double>{*chance} : std::vector<double>();
  }
  const std::vector<double> levels = metric_text(run, what.metric).chance_by_domain;
  if (choice.domain.empty() || levels.empty()) return levels;
  return {levels.at(find_label(read_labels(run).domains, choice.domain, 0, "domain"))};
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

void add_random_routing(Figure& figure, const std::vector<double>& levels, double unit_size) {
  if (levels.empty() || !std::ranges::all_of(levels, [](double level) { return std::isfinite(level); }))
    return;
  const auto [least, most] = std::ranges::minmax(levels);
  const std::string low = format_number(least / unit_size, 2), high = format_number(most / unit_size, 2);
  Reference reference = {least / unit_size, "random routing " + low};
  if (low != high) {
    reference.high = most / unit_size;
    reference.label += " to " + high + ", by domain";
  }
  figure.references.push_back(std::move(reference));
}

void LayerCoverage::add(const std::string& place, std::span<const double> values) {
  const auto known = static_cast<std::size_t>(
      std::ranges::count_if(values, [](double value) { return std::isfinite(value); }));
  if (known == 0 || known == values.size() || (layers_ > 0 && known >= known_)) return;
  place_ = place;
  known_ = known;
  layers_ = values.size();
}

std::string LayerCoverage::sentence() const {
  if (layers_ == 0) return {};
  return " Where a layer has no value, the mean is over the others: at " + place_ + " over " +
         std::to_string(known_) + " of " + std::to_string(layers_) + ".";
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
  add_random_routing(figure, random_levels(run, choice, what), what.unit_size);
  if (!choice.domain.empty()) figure.title += ", " + choice.domain;
  name_chosen_layer(figure, choice);
  figure.x = progress.axis;
  figure.y.label = what.y_label;
  if (what.from_zero) figure.y.minimum = 0;
  figure.y.maximum = what.top;
  color_by_layer(figure, labels);
  Panel& panel = figure.panels.emplace_back();
  for (const std::size_t layer : chosen_indices(labels.moe_layers, choice.layer)) {
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

std::string over_layers_label(const FigureChoice& choice) {
  return choice.layer.empty() ? "mean over layers" : "layer " + choice.layer;
}

void name_chosen_layer(Figure& figure, const FigureChoice& choice) {
  if (!choice.layer.empty()) figure.title += ", layer " + choice.layer;
}

Figure domain_lines(const RunFile& run, const FigureChoice& choice, const std::string& metric,
                    const std::string& y_label) {
  const RunLabels labels = read_labels(run);
  const Progress progress = training_progress(labels);
  const Values values = read_values(run, "/metrics/" + metric);
  const std::vector<std::size_t> layers = chosen_indices(labels.moe_layers, choice.layer);
  const bool banded = labels.domains.size() <= most_bands && choice.layer.empty();
  Figure figure =
      metric_figure(run, metric, choice.layer.empty() ? over_layers_reading(labels.domains.size()) : "");
  add_random_routing(figure, metric_text(run, metric).chance_by_domain);
  LayerCoverage coverage;
  figure.title += " by domain";
  name_chosen_layer(figure, choice);
  figure.x = progress.axis;
  figure.y.label = y_label + ", " + over_layers_label(choice);
  Panel& panel = figure.panels.emplace_back();
  for (std::size_t d = 0; d < labels.domains.size(); ++d) {
    Series& series = panel.series.emplace_back(progress_line(labels.domains[d], d, progress));
    for (std::size_t c = 0; c < progress.x.size(); ++c) {
      std::vector<double> of_layers;
      for (const std::size_t layer : layers) of_layers.push_back(values.at(c, d, layer));
      coverage.add(labels.checkpoints[c] + ", " + labels.domains[d], of_layers);
      series.y.push_back(mean_of(of_layers));
      if (!banded) continue;
      series.low.push_back(quantile_of(of_layers, 0.05));
      series.high.push_back(quantile_of(of_layers, 0.95));
    }
  }
  figure.caption += coverage.sentence();
  return figure;
}

Figure role_lines(
    const RunFile& run, const RoleLines& what,
    const std::function<double(const Values& metric, std::size_t checkpoint, std::size_t role)>& value) {
  const RunLabels labels = read_labels(run);
  const Progress progress = training_progress(labels);
  const Values metric = read_values(run, "/metrics/" + what.metric);
  Figure figure = metric_figure(run, what.metric, what.reading);
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
