#include "cli/commands.h"

#include <algorithm>
#include <iostream>

#include "cli/command_functions.h"
#include "cli/options.h"
#include "cli/terminal.h"
#include "readers/errors.h"
#include "readers/version.h"

namespace moescope {
namespace {

constexpr Command table[] = {
    {"inspect", "PATH...", "what is in a checkpoint, a shard, a series or a run file; validates it",
     run_inspect},
    {"plan", "SERIES [--corpus FILE...]",
     "bytes, operations, memory and time of an analysis; reads no weights", run_plan},
    {"analyze", "SERIES --corpus FILE... -o run.h5", "the main job: forward pass and weight pass of a series",
     run_analyze},
    {"compare", "A B", "what changed between two checkpoints", run_compare},
    {"report", "run.h5", "the HTML report of a run file, with figures and summary.json", run_report},
    {"plot", "run.h5 FIGURE -o x.svg", "one figure as SVG, PNG or PDF", run_plot},
    {"export", "run.h5 METRIC", "any dataset or metric as CSV, TSV or JSON", run_export},
    {"merge", "PART.h5... -o run.h5", "joins run files made on different machines", run_merge},
    {"tokenize", "CKPT FILE", "token ids of a text", run_tokenize},
};

std::string overview() {
  std::string text =
      "moescope shows how a mixture-of-experts language model learned, from its intermediate checkpoints.\n"
      "\n"
      "Usage: moescope COMMAND [arguments] [options]\n"
      "\n"
      "Commands:\n";
  for (const Command& command : all_commands()) {
    std::string line = "  " + std::string(command.name) + " ";
    line.resize(12, ' ');
    line += std::string(command.arguments) + " ";
    line.resize(std::max<std::size_t>(line.size(), 48), ' ');
    text += line + std::string(command.summary) + "\n";
  }
  return text +
         "\n"
         "'moescope COMMAND --help' explains one command, with an example; --version names this version.\n"
         "Exit codes: 0 done, 1 failed, 2 wrong use, 3 invalid or missing input, 130 interrupted.\n";
}

ExitCode show_help(const Arguments& topics) {
  if (topics.empty()) {
    std::cout << overview();
    return exit_done;
  }
  return find_command(topics.front()).run({"--help"});
}

}  // namespace

std::span<const Command> all_commands() {
  return table;
}

const Command& find_command(const std::string& name) {
  std::vector<std::string> names;
  for (const Command& command : all_commands()) {
    if (command.name == name) return command;
    names.emplace_back(command.name);
  }
  names.insert(names.end(), {"help", "--help", "--version"});
  const std::string suggestion = did_you_mean(name, names);
  throw UsageError("unknown command '" + name + "'", suggestion.empty() ? "see moescope --help" : suggestion);
}

ExitCode run_moescope(const Arguments& arguments) {
  const std::string first = arguments.empty() ? "help" : arguments.front();
  const Arguments rest(arguments.begin() + (arguments.empty() ? 0 : 1), arguments.end());
  if (first == "help" || first == "--help" || first == "-h") return show_help(rest);
  if (first == "--version") {
    std::cout << "moescope " << program_version() << '\n';
    return exit_done;
  }
  return find_command(first).run(rest);
}

}  // namespace moescope
