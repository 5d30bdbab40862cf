#pragma once
/// Every figure that can be drawn from a run file, by name. Adding one is one entry in the file of its
/// subject.

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "plots/figures/figure_entry.h"

namespace moescope {

/// All figures, in the order of presentation.
std::span<const FigureEntry> figure_table();

/// Why `entry` cannot be drawn from `run`, as a sentence, or empty when it can.
std::string figure_unavailable(const RunFile& run, const FigureEntry& entry);

/// Why a figure that was built is not worth drawing: has_number() is false.
inline constexpr const char* figure_without_number =
    "none of its values is a number: it is not measured yet, or not defined here";

/// What an entry draws of a run file that holds what it needs.
Figure figure_of(const RunFile& run, const FigureEntry& entry, const FigureChoice& choice = {});
/// What the report's reader can look through, if the figure can be explored.
std::optional<HeatmapExplorer> explorer_of(const RunFile& run, const FigureEntry& entry);

/// Names of checkpoints and domains may be cut to what tells them apart (find_name). Throws UsageError for an
/// unknown id, checkpoint, domain or layer (with the known ones) and for a choice that the figure does not
/// have, FormatError when the run file lacks what the figure needs.
Figure build_figure(const RunFile& run, std::string_view id, const FigureChoice& choice = {});

}  // namespace moescope
