#include <filesystem>
#include <iostream>

#include "analysis/runs/run_merge.h"
#include "cli/command_functions.h"
#include "cli/options.h"
#include "cli/terminal.h"

namespace moescope {
namespace {

struct Options {
  std::vector<std::string> parts;
  std::string output = "run.h5";
  bool overwrite = false;
  CommonOptions common;
};

bool parse(const Arguments& arguments, Options& options) {
  CommandLine line(
      {"merge", "PART.h5... -o run.h5",
       "Joins run files made on different machines or at different times: the parts of one analysis (analyze "
       "--part), different checkpoints of a model, or different domains of the same checkpoints. They must "
       "have been made by the same version with the same options; what several of them hold must be equal, "
       "and what is not is named. Parts of one analysis give the file that one analysis would have given; "
       "where something is not finished yet, analyze with the same inputs completes it.",
       "moescope merge part1.h5 part2.h5 part3.h5 -o run.h5"});
  line.positional("PART.h5", &options.parts, 1);
  line.text("output,o", "FILE", &options.output, "the run file (default run.h5)");
  line.flag("overwrite", &options.overwrite, "replace a run file that is there");
  line.common(&options.common);
  return line.parse(arguments);
}

std::string share(std::size_t finished, std::size_t all, const char* of) {
  return std::to_string(finished) + " of " + std::to_string(all) + " " + of;
}

void print(const Options& options, const MergeSummary& summary) {
  std::cout << plural(options.parts.size(), "run file")
            << " joined: " << plural(summary.checkpoints, "checkpoint");
  if (summary.tokens > 0)
    std::cout << ", " << plural(summary.domains, "domain") << ", " << plural(summary.tokens, "token");
  std::cout << '\n';
  if (!summary.complete) {
    std::vector<std::string> finished;
    if (summary.tokens > 0)
      finished.push_back(share(summary.forward_finished, summary.checkpoints, "forward passes"));
    if (summary.tensors > 0) {
      finished.push_back(share(summary.tensors_finished, summary.tensors, "tensors"));
      finished.push_back(share(summary.pairs_finished, summary.pairs, "pairs of checkpoints"));
    }
    for (std::size_t i = 0; i < finished.size(); ++i)
      std::cout << (i == 0 ? "finished  " : ", ") << finished[i];
    std::cout << "\n          moescope analyze with the same inputs and -o " << options.output
              << " completes it\n";
  }
  std::cout << "run file  " << options.output << " ("
            << format_bytes(static_cast<double>(std::filesystem::file_size(options.output))) << ")\n";
}

}  // namespace

ExitCode run_merge(const Arguments& arguments) {
  Options options;
  if (!parse(arguments, options)) return exit_done;
  std::string command = "moescope merge";
  for (const std::string& argument : arguments) command += " " + shell_quoted(argument);
  const MergeSummary summary =
      merge_runs({{options.parts.begin(), options.parts.end()}, options.output, options.overwrite, command});
  if (!options.common.quiet) print(options, summary);
  return exit_done;
}

}  // namespace moescope
