#include "plots/report/report_json.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <nlohmann/json.hpp>

#include "metrics/catalogue/catalogue.h"
#include "metrics/entry/metric_names.h"
#include "plots/figure/figure_text.h"
#include "plots/figure/layout.h"
#include "plots/figure/theme.h"
#include "plots/findings/findings.h"

namespace moescope {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t exact_values = 200'000;
constexpr std::size_t palette_colors = 128;

/// Six significant digits; null for NaN.
Json rounded(double value) {
  if (!std::isfinite(value)) return nullptr;
  char text[40];
  std::snprintf(text, sizeof text, "%.6g", value);
  return std::strtod(text, nullptr);
}

Json rounded(const std::vector<double>& values) {
  Json list = Json::array();
  for (const double value : values) list.push_back(rounded(value));
  return list;
}

Json texts(const std::vector<std::string>& values) {
  Json list = Json::array();
  for (const std::string& value : values) list.push_back(printable(value));
  return list;
}

Json by_name(const std::vector<std::string>& names, const std::vector<double>& values) {
  Json object = Json::object();
  for (std::size_t i = 0; i < std::min(names.size(), values.size()); ++i)
    object[printable(names[i])] = rounded(values[i]);
  return object;
}

/// "router_entropy_normalized_mean".
std::string mean_key(const Metric& metric) {
  return metric.name + (metric.summary->of_upper_bound ? "_normalized" : "") + "_mean";
}

/// Means of every metric that has a summary, and over how many layers (or layers and domains) each is.
void add_summaries(const CheckpointFacts& facts, const RunLabels& labels, Json& json) {
  Json layers_in_means = Json::object();
  for (const Metric& metric : metric_catalogue()) {
    if (!metric.summary) continue;
    const LayerFacts& summary = facts.of(metric.name);
    json[mean_key(metric)] = rounded(summary.mean);
    if (metric.summary->each_layer)
      json[metric.name + "_by_layer"] = by_name(labels.moe_layers, summary.layers);
    layers_in_means[metric.name] = summary.known();
  }
  json["layers_in_means"] = layers_in_means;
}

Json checkpoint_json(const CheckpointFacts& facts, const RunLabels& labels) {
  Json json = {{"name", printable(facts.name)},
               {"tokens", rounded(facts.tokens)},
               {"step", rounded(facts.step)},
               {"phase", printable(facts.phase)},
               {"loss", rounded(facts.loss)},
               {"perplexity", rounded(facts.perplexity)},
               {"nonfinite_losses", facts.nonfinite_losses},
               {"loss_by_domain", by_name(labels.domains, facts.domain_loss)}};
  add_summaries(facts, labels, json);
  json["relative_drift_since_first"] = by_name(labels.role_names, facts.drift);
  json["relative_drift_since_previous"] = by_name(labels.role_names, facts.step_drift);
  json["tortuosity_of_whole_model"] = rounded(facts.tortuosity);
  json["fingerprint"] = facts.fingerprint;
  return json;
}

Json pairs(const std::vector<std::pair<std::string, std::string>>& entries) {
  Json object = Json::object();
  for (const auto& [name, value] : entries) object[name] = printable(value);
  return object;
}

Json variant_json(const Figure& figure, int width) {
  const FigureLayout layout = lay_out(figure, width, 0, false);
  Json panels = Json::array();
  for (const PanelLayout& panel : layout.panels) {
    panels.push_back(
        {{"box", rounded({panel.plot.left, panel.plot.top, panel.plot.right, panel.plot.bottom})},
         {"x", rounded({panel.x.minimum, panel.x.maximum})},
         {"y", rounded({panel.y.minimum, panel.y.maximum})},
         {"log", panel.y.logarithmic}});
  }
  return {{"width", layout.width}, {"height", rounded(layout.height)}, {"panels", panels}};
}

std::string line_variable(const Figure& figure, const Series& series) {
  if (series.total) return "--figure-ink";
  return figure.line_colors == LineColors::sequence
             ? "--figure-step-" + std::to_string(sequence_step(series.color, figure.color_key.size()))
             : "--figure-line-" + std::to_string(series.color % categorical_colors);
}

Json line_figure_json(const Figure& figure) {
  Json panels = Json::array();
  for (const Panel& panel : figure.panels) {
    Json lines = Json::array();
    for (const Series& series : panel.series) {
      Json line = {{"label", printable(series.label)},
                   {"color", line_variable(figure, series)},
                   {"x", rounded(series.x)},
                   {"y", rounded(series.y)}};
      if (!series.low.empty()) line["band"] = {rounded(series.low), rounded(series.high)};
      lines.push_back(std::move(line));
    }
    panels.push_back(std::move(lines));
  }
  return {{"id", figure.id},
          {"value", printable(figure.y.label)},
          {"plane", figure.plane},
          {"wide", variant_json(figure, wide_chart)},
          {"narrow", variant_json(figure, narrow_chart)},
          {"panels", panels}};
}

template <class T>
std::string little_endian(const std::vector<T>& values) {
  static_assert(std::endian::native == std::endian::little, "the page reads little-endian numbers");
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

/// Values as base64 of f4, or of u2 steps of `unit` above `lowest` with 65535 for NaN.
Json encoded(const std::vector<float>& values) {
  if (values.size() <= exact_values) return {{"type", "f4"}, {"data", base64(little_endian(values))}};
  float lowest = 0, largest = 0;
  for (const float value : values) {
    if (!std::isfinite(value)) continue;
    lowest = std::min(lowest, value);
    largest = std::max(largest, value);
  }
  const float unit = largest > lowest ? (largest - lowest) / 65534.0F : 1.0F;
  std::vector<std::uint16_t> steps;
  for (const float value : values) {
    steps.push_back(std::isfinite(value) ? static_cast<std::uint16_t>(std::lround((value - lowest) / unit))
                                         : 65535);
  }
  return {{"type", "u2"}, {"unit", unit}, {"lowest", lowest}, {"data", base64(little_endian(steps))}};
}

Json scale_json(const ColorScale& scale) {
  return {{"label", scale.label},
          {"minimum", rounded(scale.minimum)},
          {"maximum", rounded(scale.maximum)},
          {"log", scale.logarithmic},
          {"centre", scale.centre ? rounded(*scale.centre) : Json(nullptr)}};
}

Json explorer_json(const HeatmapExplorer& explorer) {
  Json selectors = Json::array(), scales = Json::array();
  for (const Selector& selector : explorer.selectors) {
    selectors.push_back({{"name", selector.name},
                         {"labels", texts(selector.labels)},
                         {"initial", selector.initial},
                         {"slider", selector.slider}});
  }
  for (const ColorScale& scale : explorer.scales) scales.push_back(scale_json(scale));
  return {{"id", explorer.id},
          {"rowName", explorer.row_name},
          {"columnName", explorer.column_name},
          {"valueName", explorer.value_name},
          {"rows", texts(explorer.row_labels)},
          {"columns", texts(explorer.column_labels)},
          {"selectors", selectors},
          {"ownScale", explorer.own_scale},
          {"upward", explorer.rows_upward},
          {"sortable", explorer.sortable},
          {"evenShare", explorer.even_share ? rounded(*explorer.even_share) : Json(nullptr)},
          {"scales", scales},
          {"values", encoded(explorer.values)}};
}

Json palettes_json() {
  Json sequential = Json::array(), diverging = Json::array();
  for (std::size_t i = 0; i < palette_colors; ++i) {
    const double position = static_cast<double>(i) / static_cast<double>(palette_colors - 1);
    sequential.push_back(hex(sequential_color(position)));
    diverging.push_back(hex(diverging_color(position)));
  }
  return {{"sequential", sequential}, {"diverging", diverging}};
}

}  // namespace

std::string base64(std::string_view bytes) {
  constexpr char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t count = std::min<std::size_t>(3, bytes.size() - i);
    std::uint32_t group = 0;
    for (std::size_t j = 0; j < 3; ++j) {
      group = group << 8 | (j < count ? static_cast<std::uint8_t>(bytes[i + j]) : 0U);
    }
    for (std::size_t j = 0; j < 4; ++j) text += j <= count ? digits[group >> (18 - 6 * j) & 63] : '=';
  }
  return text;
}

std::string summary_json(const ReportFacts& facts, const std::vector<std::string>& figure_ids,
                         const Omitted& omitted) {
  Json checkpoints = Json::array(), left_out = Json::array();
  for (const CheckpointFacts& checkpoint : facts.checkpoints)
    checkpoints.push_back(checkpoint_json(checkpoint, facts.labels));
  for (const auto& [id, reason] : omitted) left_out.push_back({{"figure", id}, {"reason", reason}});
  const Json json = {{"title", printable(facts.title)},
                     {"model", pairs(facts.glance)},
                     {"total_parameters", facts.total_parameters},
                     {"active_parameters", facts.active_parameters},
                     {"tokens_by_domain", by_name(facts.labels.domains, facts.domain_tokens)},
                     {"router_saturation_chance",
                      rounded(chance_of(facts, metric::router_saturation).value_or(unknown_number))},
                     {"checkpoints", checkpoints},
                     {"notes", texts(facts.notes)},
                     {"findings", texts(report_findings(facts))},
                     {"figures", figure_ids},
                     {"omitted", left_out},
                     {"provenance", pairs(facts.provenance)}};
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string page_json(const ReportFacts& facts, const std::vector<Figure>& line_figures,
                      const std::vector<HeatmapExplorer>& explorers) {
  Json lines = Json::array(), heatmaps = Json::array();
  for (const Figure& figure : line_figures) lines.push_back(line_figure_json(figure));
  for (const HeatmapExplorer& explorer : explorers) heatmaps.push_back(explorer_json(explorer));
  const Json json = {{"checkpoints", texts(facts.labels.short_checkpoints)},
                     {"lines", lines},
                     {"heatmaps", heatmaps},
                     {"palettes", palettes_json()}};
  std::string safe;
  for (const char c : json.dump(-1, ' ', false, Json::error_handler_t::replace))
    safe += c == '<' ? std::string("\\u003c") : std::string(1, c);
  return safe;
}

}  // namespace moescope
