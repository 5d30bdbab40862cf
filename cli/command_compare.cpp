#include <algorithm>
#include <iostream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "analysis/comparison/checkpoint_comparison.h"
#include "analysis/comparison/comparison_json.h"
#include "cli/analysis_arguments.h"
#include "cli/command_functions.h"
#include "cli/comparison_limits.h"
#include "cli/comparison_text.h"
#include "cli/interrupt.h"
#include "cli/terminal.h"
#include "readers/errors.h"
#include "readers/recorded/recorded_notes.h"
#include "readers/text/json_text.h"

namespace moescope {
namespace {

struct Options {
  std::vector<std::string> names;  // A, B
  std::string run;                 // empty: A and B are checkpoints
  AnalysisArguments analysis;
  std::uint64_t top = 10;
  std::vector<ComparisonLimit> limits;
  bool json = false;
  CommonOptions common;
};

/// What would be ignored is told.
void check_run(const Options& options) {
  if (!options.analysis.corpus.empty())
    throw UsageError("--run and --corpus exclude each other (a run file holds its own results)");
  if (options.analysis.changes_numbers())
    throw UsageError("--run takes no options of an analysis (a run file holds its own results)");
}

void check_names(const Options& options, const CommandLine& line) {
  const std::vector<std::string>& names = options.names;
  const bool run_given = !options.run.empty();
  const auto run = std::ranges::find_if(names, [](const std::string& name) { return name.ends_with(".h5"); });
  if (!run_given && names.size() > 1 && run != names.end()) {
    throw UsageError(*run + ": is a run file, not a checkpoint",
                     "to compare what it holds: moescope compare --run " + shell_quoted(*run) + " A B");
  }
  if (names.size() > 2) {
    throw UsageError("too many arguments (expected A B, found " + std::to_string(names.size()) + ")");
  }
  if (names.size() == 2) return;
  const std::string swallowed = line.swallowing_hint();
  throw UsageError(names.empty() ? "the argument A is missing" : "the argument B is missing",
                   swallowed.empty() && run_given
                       ? "--run takes the run file: moescope compare --run run.h5 A B"
                       : swallowed);
}

void check_limits(const Options& options) {
  if (!options.run.empty() || !options.analysis.corpus.empty()) return;
  for (const ComparisonLimit& limit : options.limits) {
    if (needs_forward_pass(limit)) throw UsageError("--fail-above " + limit.metric + ": needs --corpus");
  }
}

bool parse(const Arguments& arguments, Options& options) {
  CommandLine line(
      {"compare", "A B [options]\n       moescope compare --run run.h5 A B [options]",
       "Tells what changed from checkpoint A to checkpoint B: the weights by role, layer, expert and tensor. "
       "With --corpus also the losses, how far the two choose the same experts, and whose load changed. Where "
       "one has more tokens in its vocabulary, the rows of the embedding and the head that both have are "
       "compared; how weights are stored does not matter, and what storing them anew has changed is told. With "
       "--run, A and B are names inside a run file, or the ends of them that the figures show, and nothing "
       "is computed anew.\n"
       "\n"
       "With --fail-above the exit code is 1 when a METRIC is above its VALUE anywhere, and standard error "
       "says where. Metrics of weights are held against the model, its roles, layers, experts and tensors; "
       "experts.relative_drift against experts alone, and so on:\n" +
           limit_metrics_text(),
       "moescope compare data/tiny-dots1/tiny-dots1-05T data/tiny-dots1/tiny-dots1-11.2T\n"
       "moescope compare --run run.h5 tiny-dots1-05T tiny-dots1-11.2T --json\n"
       "moescope compare --run run.h5 tiny-dots1-11T tiny-dots1-11.2T --fail-above relative_drift=0.05"});
  line.positional("A B", &options.names, 0);
  line.text("run", "FILE", &options.run, "a run file that holds both");
  line.number("top", "N", &options.top, 0, "how many of the most changed are listed (default 10)");
  std::vector<std::string> limits;
  line.repeated("fail-above", "METRIC=VALUE", &limits,
                "exit with 1 when METRIC is above VALUE anywhere; may be repeated");
  line.flag("json", &options.json, "print everything as JSON");
  options.analysis.declare(line);
  line.common(&options.common);
  if (!line.parse(arguments)) return false;
  std::transform(limits.begin(), limits.end(), std::back_inserter(options.limits), parse_limit);
  check_names(options, line);
  if (!options.run.empty()) check_run(options);
  check_limits(options);
  return true;
}

/// Without warnings: they stand in the result.
class ComparisonDisplay : public AnalysisDisplay {
 public:
  using AnalysisDisplay::AnalysisDisplay;
  void note(const std::string& message) override {
    if (!message.starts_with(warning_mark)) AnalysisDisplay::note(message);
  }
};

RunComparison compare_directories(const Options& options) {
  AnalysisOptions analysis = options.analysis.options();
  const InterruptGuard interrupt;
  analysis.resources.interrupted = &interrupt.flag();
  ComparisonDisplay display(options.common);
  const auto comparison = compare_checkpoints(options.names[0], options.names[1], analysis, display);
  display.end();
  if (!comparison) throw Interrupted{};
  return *comparison;
}

}  // namespace

ExitCode run_compare(const Arguments& arguments) {
  Options options;
  if (!parse(arguments, options)) return exit_done;
  const RunComparison comparison =
      options.run.empty() ? compare_directories(options)
                          : compare_in_run(RunFile::open(options.run), options.names[0], options.names[1]);
  const std::vector<std::string> broken = broken_limits(comparison, options.limits);
  std::cout << (options.json ? json_text(json_of(comparison)) : text_of(comparison, options.top));
  for (const std::string& sentence : broken)
    std::cerr << "moescope: " << comparison.before << " -> " << comparison.after << ": " << sentence << '\n';
  return broken.empty() ? exit_done : exit_failed;
}

}  // namespace moescope
