#include "plots/figures/metric_lines.h"

#include <algorithm>
#include <utility>

#include "plots/figures/line_figures.h"

namespace moescope {
namespace {

/// `text` with the names of checkpoints.
std::string named(std::string text, const RunLabels& labels) {
  const std::vector<std::string>& names = labels.short_checkpoints;
  for (const auto& [mark, name] : {std::pair<std::string, std::string>("{first}", names.front()),
                                   std::pair<std::string, std::string>("{last}", names.back())}) {
    for (std::size_t at = text.find(mark); at != std::string::npos; at = text.find(mark, at + name.size()))
      text.replace(at, mark.size(), name);
  }
  return text;
}

/// A figure without lines yet, in the words of the entry.
Figure described(const RunFile& run, const Metric& metric, const MetricFigure& what,
                 const std::string& reading, double unit_size = 1) {
  const RunLabels labels = read_labels(run);
  Figure figure = metric_figure(run, metric.name, "", unit_size, what.bottom.value_or(0));
  if (!what.caption.empty()) figure.caption = named(what.caption, labels);
  if (!reading.empty()) figure.caption += " " + reading;
  if (!what.formula.empty()) figure.formula = what.formula;
  figure.x = training_progress(labels).axis;
  figure.y.label = named(what.y_label, labels);
  figure.y.minimum = what.bottom;
  figure.y.maximum = what.top;
  return figure;
}

/// Values are divided by it.
double unit_of(const RunFile& run, const Metric& metric, const MetricFigure& what) {
  return what.of_upper_bound ? unit_of_upper_bound(metric_text(run, metric.name)) : 1;
}

std::size_t domain_index(const RunFile& run, const std::string& name) {
  return find_label(read_labels(run).domains, name, 0, "domain");
}

/// Whether the tokens of all domains are shown together.
bool shows_pooled(const RunFile& run, const FigureChoice& choice, const Metric& metric) {
  return choice.domain.empty() && has_metric(run, pooled_name(metric.name));
}

/// [C, L] of what was chosen.
Values by_layer(const RunFile& run, const FigureChoice& choice, const Metric& metric) {
  if (shows_pooled(run, choice, metric)) return read_metric(run, pooled_name(metric.name));
  const Values values = read_metric(run, metric.name);
  if (values.shape.size() == 2) return values;
  if (choice.domain.empty()) return average_over_domains(run, values);
  return of_domain(values, domain_index(run, choice.domain));
}

/// Random routing of as many tokens as are shown.
std::vector<double> random_levels(const RunFile& run, const FigureChoice& choice, const Metric& metric) {
  if (shows_pooled(run, choice, metric)) {
    const std::optional<double> chance = metric_text(run, pooled_name(metric.name)).chance;
    return chance ? std::vector<double>{*chance} : std::vector<double>();
  }
  const std::vector<double> levels = metric_text(run, metric.name).chance_by_domain;
  if (choice.domain.empty() || levels.empty()) return levels;
  return {levels.at(domain_index(run, choice.domain))};
}

/// A line for each domain, which `fill`(line, domain, checkpoint) gives its points.
template <class Fill>
void add_domains(Figure& figure, const RunLabels& labels, Fill fill) {
  const Progress progress = training_progress(labels);
  Panel& panel = figure.panels.emplace_back();
  for (std::size_t d = 0; d < labels.domains.size(); ++d) {
    Series& series = panel.series.emplace_back(progress_line(labels.domains[d], d, progress));
    for (std::size_t c = 0; c < progress.x.size(); ++c) fill(series, d, c);
  }
}

Figure plain_domain_lines(const RunFile& run, const Metric& metric, const MetricFigure& what) {
  const Values values = read_metric(run, metric.name);
  Figure figure = described(run, metric, what, what.reading);
  figure.title += " by domain";
  add_domains(figure, read_labels(run),
              [&](Series& series, std::size_t d, std::size_t c) { series.y.push_back(values.at(c, d)); });
  return figure;
}

}  // namespace

Figure layer_lines(const RunFile& run, const FigureChoice& choice, const Metric& metric,
                   const MetricFigure& what) {
  const RunLabels labels = read_labels(run);
  const Progress progress = training_progress(labels);
  const Values values = by_layer(run, choice, metric);
  const double unit = unit_of(run, metric, what);
  Figure figure = described(run, metric, what, layers_reading, unit);
  add_random_routing(figure, random_levels(run, choice, metric), unit);
  if (!choice.domain.empty()) figure.title += ", " + choice.domain;
  name_chosen_layer(figure, choice);
  color_by_layer(figure, labels);
  Panel& panel = figure.panels.emplace_back();
  for (const std::size_t layer : chosen_indices(labels.moe_layers, choice.layer)) {
    Series& series =
        panel.series.emplace_back(progress_line("layer " + labels.moe_layers[layer], layer, progress));
    for (std::size_t c = 0; c < progress.x.size(); ++c) series.y.push_back(values.at(c, layer) / unit);
  }
  return figure;
}

Figure domain_lines(const RunFile& run, const FigureChoice& choice, const Metric& metric,
                    const MetricFigure& what) {
  if (!has_axis(metric, "moe_layer")) return plain_domain_lines(run, metric, what);
  const RunLabels labels = read_labels(run);
  const Values values = read_metric(run, metric.name);
  const bool banded = labels.domains.size() <= most_bands && choice.layer.empty();
  Figure figure =
      described(run, metric, what, choice.layer.empty() ? over_layers_reading(labels.domains.size()) : "");
  add_random_routing(figure, metric_text(run, metric.name).chance_by_domain);
  figure.title += " by domain";
  name_chosen_layer(figure, choice);
  figure.y.label += ", " + over_layers_label(choice);
  LayerCoverage coverage;
  add_domains(figure, labels, [&](Series& series, std::size_t d, std::size_t c) {
    std::vector<double> of_layers;
    for (const std::size_t layer : chosen_indices(labels.moe_layers, choice.layer))
      of_layers.push_back(values.at(c, d, layer));
    coverage.add(labels.checkpoints[c] + ", " + labels.domains[d], of_layers);
    series.y.push_back(mean_of(of_layers));
    if (!banded) return;
    series.low.push_back(quantile_of(of_layers, 0.05));
    series.high.push_back(quantile_of(of_layers, 0.95));
  });
  figure.caption += coverage.sentence();
  return figure;
}

Figure token_lines(const RunFile& run, const FigureChoice& choice, const Metric& metric,
                   const MetricFigure& what) {
  const RunLabels labels = read_labels(run);
  const Values quantiles = read_metric(run, metric.name);
  const double unit = unit_of(run, metric, what);
  const bool banded = labels.domains.size() <= most_bands;
  Figure figure = described(run, metric, what,
                            banded ? "Line: the median token; band: 5 % to 95 % of the tokens; each averaged "
                                     "over MoE layers. A wide band means that tokens differ in it."
                                   : "The median token, averaged over MoE layers.",
                            unit);
  figure.title = what.title;
  name_chosen_layer(figure, choice);
  LayerCoverage coverage;
  const auto over_layers = [&](std::size_t quantile, std::size_t checkpoint, std::size_t domain) {
    std::vector<double> values;
    for (const std::size_t layer : chosen_indices(labels.moe_layers, choice.layer))
      values.push_back(quantiles.at(quantile, checkpoint, domain, layer) / unit);
    coverage.add(labels.checkpoints[checkpoint] + ", " + labels.domains[domain], values);
    return mean_of(values);
  };
  add_domains(figure, labels, [&](Series& series, std::size_t d, std::size_t c) {
    series.y.push_back(over_layers(1, c, d));
    if (!banded) return;
    series.low.push_back(over_layers(0, c, d));
    series.high.push_back(over_layers(2, c, d));
  });
  figure.caption += coverage.sentence();
  return figure;
}

Figure role_lines(const RunFile& run, const Metric& metric, const MetricFigure& what,
                  const RoleValue& value) {
  const RunLabels labels = read_labels(run);
  const Progress progress = training_progress(labels);
  const Values values = read_metric(run, metric.name);
  Figure figure = described(run, metric, what, what.reading);
  figure.title = what.title;
  Panel& panel = figure.panels.emplace_back();
  for (std::size_t role = 0; role < labels.roles.size(); ++role) {
    Series series = progress_line(labels.roles[role], role, progress);
    series.total = series.label == whole_model_label;
    for (std::size_t c = 0; c < progress.x.size(); ++c) series.y.push_back(value(values, c, role));
    if (std::ranges::any_of(series.y, [](double y) { return std::isfinite(y); }))
      panel.series.push_back(std::move(series));
  }
  return figure;
}

}  // namespace moescope
