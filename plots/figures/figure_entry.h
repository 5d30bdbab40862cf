#pragma once
/// What a figure of the table is, and what it can be asked to show.

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "plots/figure/figure.h"
#include "plots/figures/heatmap_explorer.h"

namespace moescope {

class RunFile;

/// What to show where a figure shows one of several.
struct FigureChoice {
  std::string checkpoint = {};  // a name of /checkpoint; empty: the last
  std::string domain = {};      // a name of /domain; empty: all domains
  std::string layer = {};       // a number of /moe_layer, or of /layer; empty: all layers, or their mean
};

/// What of a FigureChoice a figure can show one of; sums of these.
enum Selection : unsigned {
  selects_nothing = 0,
  selects_checkpoint = 1,
  selects_domain = 2,
  selects_moe_layer = 4,
  selects_layer = 8,  // also of layers without experts
};

struct FigureEntry {
  std::string id = {};       // also of the Figure and the HeatmapExplorer, which need not set it
  std::string title = {};    // without the choice that is left to the reader
  std::string section = {};  // heading of the report below which it stands: set where sections are listed
  std::vector<std::string> needs = {};  // datasets without which it cannot be drawn
  std::size_t checkpoints_needed = 1;   // 2 where it shows a change
  /// Of names that are in the run file.
  std::function<Figure(const RunFile& run, const FigureChoice& choice)> build = {};
  unsigned selects = selects_nothing;
  std::function<HeatmapExplorer(const RunFile& run)> explore = {};  // empty: it cannot be explored
};

}  // namespace moescope
