#pragma once
/// A series: checkpoints in training order.

#include <filesystem>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

namespace moescope {

struct SeriesEntry {
  std::string name;  // unique within the series
  std::filesystem::path path;
  double tokens = std::numeric_limits<double>::quiet_NaN();  // seen in training; NaN: unknown
  double step = std::numeric_limits<double>::quiet_NaN();
  std::string phase;  // "warmup", "stable", …; empty: unknown
};

/// Tokens and step spelled in a checkpoint's name, e.g. "stage1-step150-tokens1B"; NaN where not spelled.
struct NamedProgress {
  double tokens = std::numeric_limits<double>::quiet_NaN();
  double step = std::numeric_limits<double>::quiet_NaN();
};
NamedProgress parse_checkpoint_name(std::string_view name);

/// What was found, and what the user should know about how: what was left out, an order that is a guess.
struct FoundSeries {
  std::vector<SeriesEntry> entries;
  std::vector<std::string> notes;
};

/// The checkpoints that `paths` mean: several checkpoint directories in order; one directory whose children
/// are checkpoints; a Hugging Face cache repository (refs/ and snapshots/); or a series file (.json). One
/// checkpoint directory alone is a series of one. Throws FormatError, UsageError, std::system_error.
FoundSeries find_series(const std::vector<std::filesystem::path>& paths);

}  // namespace moescope
