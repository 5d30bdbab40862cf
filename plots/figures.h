#pragma once
/// Every figure that can be drawn from a run file, by name. Adding one is one entry in figures.cpp.

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "plots/figure.h"

namespace moescope {

class RunFile;

/// What to show where a figure shows one of several.
struct FigureChoice {
  std::string checkpoint;  // a name of /checkpoint; empty: the last
  std::string domain;      // a name of /domain; empty: all domains
  std::string layer;       // a number of /moe_layer, or of /layer; empty: all layers, or their mean
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
  std::string id;
  std::string title;
  std::string section;             // heading of the report below which it stands
  std::vector<std::string> needs;  // datasets without which it cannot be drawn
  std::size_t checkpoints_needed;  // 2 where it shows a change
  Figure (*build)(const RunFile& run, const FigureChoice& choice);  // of names that are in the run file
  unsigned selects = selects_nothing;
};

/// All figures, in the order of presentation.
std::span<const FigureEntry> figure_table();

/// Why `entry` cannot be drawn from `run`, as a sentence, or empty when it can.
std::string figure_unavailable(const RunFile& run, const FigureEntry& entry);

/// Why a figure that was built is not worth drawing: has_number() is false.
inline constexpr const char* figure_without_number =
    "none of its values is a number: it is not measured yet, or not defined here";

/// Names of checkpoints and domains may be cut to what tells them apart (find_name). Throws UsageError for an
/// unknown id, checkpoint, domain or layer (with the known ones) and for a choice that the figure does not
/// have, FormatError when the run file lacks what the figure needs.
Figure build_figure(const RunFile& run, std::string_view id, const FigureChoice& choice = {});

}  // namespace moescope
