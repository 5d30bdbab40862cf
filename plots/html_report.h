#pragma once
/// The training-dynamics report of a run file.

#include <filesystem>

namespace moescope {

class RunFile;

/// What was written.
struct ReportFiles {
  std::filesystem::path html;     // self-contained: needs no network and no other file
  std::filesystem::path summary;  // summary.json beside it
  std::filesystem::path figures;  // directory of one SVG per figure
  std::size_t figure_count = 0;
};

/// Writes `html_path`, and beside it figures/*.svg and summary.json. Each file is replaced atomically. Into
/// what is no file ("-", a pipe) goes the page alone. Throws UsageError for a directory and where the run
/// file would be destroyed. Figures whose data the run file lacks are left out, and listed with the reason at
/// the report's end. Throws FormatError, std::system_error, GnuplotError.
ReportFiles write_report(const RunFile& run, const std::filesystem::path& html_path);

}  // namespace moescope
