#include "plots/figures/heatmap_explorer.h"

#include <algorithm>
#include <cmath>

#include "plots/figures/run_values.h"

namespace moescope {

bool is_all_zero(const HeatmapExplorer& explorer) {
  const auto is_zero = [](float value) { return value == 0; };
  return std::ranges::any_of(explorer.values, is_zero) &&
         std::ranges::all_of(explorer.values,
                             [&](float value) { return std::isnan(value) || is_zero(value); });
}

void append(std::vector<float>& all, std::span<const double> values) {
  for (const double value : values) all.push_back(static_cast<float>(value));
}

Selector checkpoint_slider(const std::vector<std::string>& labels) {
  return {.name = "Checkpoint", .labels = labels, .initial = labels.size() - 1, .slider = true};
}

std::vector<Selector> drift_selectors(const RunLabels& labels) {
  const std::vector<std::string>& names = labels.short_checkpoints;
  return {checkpoint_slider({names.begin() + 1, names.end()}),
          {.name = "Since", .labels = {"the first checkpoint", "the checkpoint before"}}};
}

HeatmapExplorer expert_explorer(const RunLabels& labels) {
  HeatmapExplorer explorer;
  explorer.row_name = "MoE layer";
  explorer.column_name = "Expert";
  explorer.row_labels = labels.moe_layers;
  explorer.column_labels = labels.experts;
  explorer.rows_upward = true;
  return explorer;
}

}  // namespace moescope
