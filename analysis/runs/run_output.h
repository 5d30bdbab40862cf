#pragma once
/// Where a run file may be written.

#include <filesystem>
#include <span>

namespace moescope {

/// To be asked before anything is computed. Throws UsageError when `output` cannot hold a run file (a
/// directory, a pipe, standard output), or when it or one of the files that accompany it while it is written
/// is one of `inputs`; std::system_error where nothing can be written.
void require_run_output(const std::filesystem::path& output, std::span<const std::filesystem::path> inputs);

/// Throws UsageError unless nothing lies at `output`, or a run file, or a file without content: nothing else
/// is ever overwritten.
void require_replaceable(const std::filesystem::path& output);

}  // namespace moescope
