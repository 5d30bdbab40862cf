#include <filesystem>
#include <iostream>
#include <vector>

#include "cli/command_functions.h"
#include "cli/options.h"
#include "cli/terminal.h"
#include "plots/figures/figures.h"
#include "plots/gnuplot/gnuplot.h"
#include "readers/errors.h"
#include "readers/files/output_file.h"
#include "readers/run_file/run_file.h"

namespace moescope {
namespace {

struct Options {
  std::vector<std::string> positional;  // run.h5, FIGURE
  std::string output, format;           // format: empty: by the extension
  FigureChoice choice;
  bool list = false;
  CommonOptions common;
};

bool parse(const Arguments& arguments, Options& options) {
  CommandLine line(
      {"plot", "run.h5 FIGURE -o FILE [options]\n       moescope plot [run.h5] --list",
       "Draws one figure of a run file as SVG, PNG or PDF, by the extension of FILE. --list names the "
       "figures; with a run file, it also says which of them cannot be drawn from it, and why. Checkpoints "
       "are called by their names or by the ends of these that the figures show.",
       "moescope plot build/demo/run.h5 router_saturation -o saturation.svg"});
  line.positional("run.h5 FIGURE", &options.positional, 0, 2);
  line.text("output,o", "FILE", &options.output, "the image: .svg, .png or .pdf; - for standard output");
  line.choice("format", {"svg", "png", "pdf"}, &options.format,
              "kind of image, whatever the extension (default svg where there is none, as of -)");
  line.text("checkpoint", "NAME", &options.choice.checkpoint,
            "which checkpoint, where a figure shows one (default the last)");
  line.text("domain", "NAME", &options.choice.domain,
            "which domain, where a figure shows one (default all of them)");
  line.text("layer", "N", &options.choice.layer,
            "which layer, by its number, where a figure shows several (default all of them, or their mean)");
  line.flag("list", &options.list, "name all figures");
  line.common(&options.common);
  if (!line.parse(arguments)) return false;
  if (options.list) return true;
  if (options.positional.empty()) throw UsageError("a run file and the name of a figure are missing");
  if (options.positional.size() == 1) {
    throw UsageError("the name of a figure is missing", "moescope plot --list names them");
  }
  if (options.output.empty()) throw UsageError("--output is missing", "add for example -o figure.svg");
  return true;
}

ImageFormat chosen_format(const Options& options, const OutputTarget& output) {
  if (!options.format.empty()) return image_format("figure." + options.format);
  const std::filesystem::path path = options.output;
  return path.has_extension() || output.is_file() ? image_format(path) : ImageFormat::svg;
}

void list_figures(const Options& options) {
  Table table({{"figure"}, {"title"}});
  for (const FigureEntry& entry : figure_table()) table.add({entry.id, entry.title});
  std::cout << table.text();
  if (options.positional.empty()) return;
  const RunFile run = RunFile::open(options.positional.front());
  for (const FigureEntry& entry : figure_table()) {
    const std::string reason = figure_unavailable(run, entry);
    if (!reason.empty())
      std::cout << "not from " << options.positional.front() << ": " << entry.id << ": " << reason << '\n';
  }
}

}  // namespace

ExitCode run_plot(const Arguments& arguments) {
  Options options;
  if (!parse(arguments, options)) return exit_done;
  if (options.list) {
    list_figures(options);
    return exit_done;
  }
  // What is wrong about the output is told before anything is read.
  const OutputTarget output = find_output(options.output);
  const ImageFormat format = chosen_format(options, output);
  require_not_among(output, std::vector<std::filesystem::path>{options.positional[0]});
  const RunFile run = RunFile::open(options.positional[0]);
  render_figure(build_figure(run, options.positional[1], options.choice), output, format);
  if (!options.common.quiet && !output.is_standard_output()) std::cout << options.output << '\n';
  return exit_done;
}

}  // namespace moescope
