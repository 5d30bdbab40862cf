#include <filesystem>
#include <iostream>

#include "cli/command_functions.h"
#include "cli/options.h"
#include "cli/terminal.h"
#include "plots/report/html_report.h"
#include "readers/files/output_file.h"
#include "readers/run_file/run_file.h"

namespace moescope {
namespace {

struct Options {
  std::vector<std::string> run;
  std::string output = "report.html";
  CommonOptions common;
};

bool parse(const Arguments& arguments, Options& options) {
  CommandLine line(
      {"report", "run.h5 -o report.html",
       "Writes the training-dynamics report of a run file: one HTML file that needs no network and no other "
       "file, and beside it figures/*.svg and summary.json (beside another name, b.html: b.figures/*.svg and "
       "b.summary.json). Figures whose data the run file lacks are left out and listed with the reason. To - "
       "(standard output) or a pipe goes the page alone.",
       "moescope report build/demo/run.h5 -o build/demo/report.html"});
  line.positional("run.h5", &options.run, 1, 1);
  line.text("output,o", "FILE", &options.output, "the HTML file (default report.html)");
  line.common(&options.common);
  return line.parse(arguments);
}

}  // namespace

ExitCode run_report(const Arguments& arguments) {
  Options options;
  if (!parse(arguments, options)) return exit_done;
  const OutputTarget output =
      find_output(options.output);  // what is wrong about it is told before anything is read
  const ReportFiles files = write_report(RunFile::open(options.run.front()), options.output);
  if (options.common.quiet || !output.is_file()) return exit_done;
  std::cout << "report   " << files.html.string() << "\nfigures  " << files.figures.string() << " ("
            << plural(files.figure_count, "figure") << ")\nsummary  " << files.summary.string() << '\n';
  return exit_done;
}

}  // namespace moescope
