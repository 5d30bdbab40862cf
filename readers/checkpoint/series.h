#pragma once
/// A series: checkpoints in training order.

#include <filesystem>
#include <limits>
#include <string>
#include <vector>

namespace moescope {

struct SeriesEntry {
  std::string name;  // unique within the series; UTF-8, whatever bytes the path is made of
  std::filesystem::path path;
  double tokens = std::numeric_limits<double>::quiet_NaN();  // seen in training; NaN: unknown
  double step = std::numeric_limits<double>::quiet_NaN();
  std::string phase;  // "warmup", "stable", …; empty: unknown
};

/// What was found, and what the user should know about how: what was left out, an order that is a guess.
struct FoundSeries {
  std::vector<SeriesEntry> entries;
  std::vector<std::string> notes;
};

/// The checkpoints that `paths` mean: several checkpoint directories in order; one directory whose children
/// are checkpoints; a Hugging Face cache repository (refs/ and snapshots/); or a series file (.json). One
/// checkpoint directory alone is a series of one. A directory and a repository are ordered, and the progress
/// of checkpoints is told, by their names (series_order.h) unless a series file says better; what the names
/// leave open is a note. A checkpoint under two names (links, refs to one commit) counts once; what cannot be
/// examined is left out, both with a note. Throws FormatError, UsageError, std::system_error.
FoundSeries find_series(const std::vector<std::filesystem::path>& paths);

}  // namespace moescope
