#pragma once
/// Heatmaps of which the report's reader chooses the slice: a checkpoint, a domain, a layer.

#include <optional>
#include <string>
#include <vector>

#include "plots/figure/figure.h"

namespace moescope {

class RunFile;

/// One choice of the reader.
struct Selector {
  std::string name;  // "checkpoint"
  std::vector<std::string> labels;
  std::size_t initial = 0;
  bool slider = false;  // else a list
};

/// All slices of one heatmap, for the page to draw.
struct HeatmapExplorer {
  std::string id;  // of the figure it explores
  std::string row_name, column_name, value_name;
  std::vector<std::string> row_labels, column_labels;
  std::vector<Selector> selectors;  // two
  std::vector<float> values;        // (first selector, second selector, rows, columns); NaN: does not exist
  std::vector<ColorScale> scales;   // one for each label of the second selector, or one for all
  bool own_scale = false;           // begins with colours for the slice alone, not for all that share a scale
  bool rows_upward = false;
  bool sortable = false;             // whether the cells of a row may be put in order
  std::optional<double> even_share;  // relative load times this is the share of the tokens
};

/// Whether there is a number, and every number is 0.
bool is_all_zero(const HeatmapExplorer& explorer);

/// Load by checkpoint and domain, "all domains" first.
HeatmapExplorer load_explorer(const RunFile& run);
/// Drift by checkpoint, since the first or since the one before.
HeatmapExplorer drift_explorer(const RunFile& run);
/// Drift of experts, by checkpoint, since the first or since the one before.
HeatmapExplorer expert_drift_explorer(const RunFile& run);
/// Agreement of checkpoints, by layer, their mean first.
HeatmapExplorer agreement_explorer(const RunFile& run);

/// The explorer of the figure `id`, if it has one. The run file must hold what the figure needs.
std::optional<HeatmapExplorer> find_explorer(const RunFile& run, const std::string& id);

}  // namespace moescope
