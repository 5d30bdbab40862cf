#pragma once
/// Heatmaps of which the report's reader chooses the slice: a checkpoint, a domain, a layer.

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "plots/figure/figure.h"

namespace moescope {

struct RunLabels;

/// One choice of the reader.
struct Selector {
  std::string name;  // "checkpoint"
  std::vector<std::string> labels;
  std::size_t initial = 0;
  bool slider = false;  // else a list
};

/// All slices of one heatmap, for the page to draw.
struct HeatmapExplorer {
  std::string id = {};  // of the figure it explores
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

/// Adds `values` to those of an explorer.
void append(std::vector<float>& all, std::span<const double> values);

/// Which checkpoint, the last one first.
Selector checkpoint_slider(const std::vector<std::string>& labels);
/// To which checkpoint, and since which one: the first, or the one before.
std::vector<Selector> drift_selectors(const RunLabels& labels);
/// MoE layers x experts, the first layer at the bottom.
HeatmapExplorer expert_explorer(const RunLabels& labels);

}  // namespace moescope
