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

}  // namespace

Figure metric_figure(const RunFile& run, const std::string& name, const std::string& reading,
                     double unit_size, double bottom) {
  const MetricText text = metric_text(run, name);
  Figure figure;
  figure.title = text.title;
  figure.caption = text.description + (reading.empty() ? "" : " " + reading);
  figure.formula = text.formula;
  figure.source = text.source;
  add_reference(figure, text.chance, "chance", unit_size);
  const double lowest = text.lower_bound.value_or(0);
  if (lowest != 0 && lowest != bottom) add_reference(figure, text.lower_bound, "lower bound", unit_size);
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

}  // namespace moescope
