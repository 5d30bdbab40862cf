#pragma once
/// The training-dynamics report of a run file.

#include <filesystem>

namespace moescope {

class RunFile;

/// What was written.
struct ReportFiles {
  std::filesystem::path html;     // self-contained: needs no network and no other file
  std::filesystem::path summary;  // the numbers, beside it
  std::filesystem::path figures;  // directory of one SVG per figure, beside it
  std::size_t figure_count = 0;
};

/// What belongs to a page: beside report.html summary.json and figures/, beside another, NAME.html,
/// NAME.summary.json and NAME.figures/, so that reports in one folder do not mix.
ReportFiles report_files(const std::filesystem::path& html_path);

/// Writes `html_path` and what belongs to it, after everything has been computed. Figures of an earlier
/// report that this one lacks are removed. Each file is replaced atomically. Into what is no file ("-", a
/// pipe) goes the page alone. Figures whose data the run file lacks are left out, and listed with the reason
/// at the report's end. Throws UsageError for a directory and where the run file would be destroyed,
/// FormatError, std::system_error, GnuplotError.
ReportFiles write_report(const RunFile& run, const std::filesystem::path& html_path);

}  // namespace moescope
