#pragma once
/// Run files made side by side or one after the other become one.

#include <filesystem>
#include <string>
#include <vector>

#include "readers/run_file/run_file.h"

namespace moescope {

struct MergeOptions {
  std::vector<std::filesystem::path> parts;
  std::filesystem::path output;
  bool overwrite = false;    // replace a run file that is there
  std::string command_line;  // recorded
};

struct MergeSummary {
  std::size_t checkpoints = 0, domains = 0, tokens = 0;
  std::size_t forward_finished = 0;               // checkpoints, in all domains
  std::size_t tensors = 0, tensors_finished = 0;  // at all checkpoints
  std::size_t pairs = 0, pairs_finished = 0;      // of checkpoints, at all tensors
  bool complete = false;                          // nothing is left for an analysis of the whole
};

/// Joins run files of one model made with the same options, by the same version: the parts of one analysis
/// (--part), different checkpoints, or different domains of the same checkpoints. Checkpoints come in the
/// order of their tokens, else steps, where all of them are known, else as the files name them; domains as
/// the files name them. What several files hold must be equal. Products of checkpoints that were never
/// measured together are NaN. Parts of one analysis give the bytes of the whole, in every dataset but /io.
/// The output appears when it is complete. Throws FormatError naming what does not fit, UsageError,
/// std::system_error.
MergeSummary merge_runs(const MergeOptions& options);

/// The same for a caller that holds the output's RunLock.
MergeSummary merge_runs_locked(const MergeOptions& options);

}  // namespace moescope
