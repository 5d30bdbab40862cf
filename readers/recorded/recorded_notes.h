#pragma once
/// The notes of a run file, as they are shown.

#include <string>
#include <string_view>
#include <vector>

#include "readers/run_file/run_file.h"

namespace moescope {

/// How a note begins that puts numbers in doubt.
inline constexpr std::string_view warning_mark = "warning: ";

/// What /notes holds, warnings first, each as it was told; nothing where a run has no /notes.
std::vector<std::string> read_notes(const RunFile& run);

}  // namespace moescope
