#include <stdlib.h>

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "cli/analysis_arguments.h"
#include "cli/command_functions.h"
#include "cli/comparison_limits.h"
#include "cli/comparison_text.h"
#include "cli/interrupt.h"
#include "cli/json_text.h"
#include "readers/errors.h"

namespace moescope {
namespace {

namespace fs = std::filesystem;

struct Options {
  std::vector<std::string> names;  // A, B
  std::string run;                 // empty: A and B are checkpoints
  AnalysisArguments analysis;
  std::uint64_t top = 10;
  std::vector<ComparisonLimit> limits;
  bool json = false;
  CommonOptions common;
};

void check_limits(const Options& options) {
  if (!options.run.empty() || !options.analysis.corpus.empty()) return;
  for (const ComparisonLimit& limit : options.limits) {
    if (needs_forward_pass(limit)) throw UsageError("--fail-above " + limit.metric + ": needs --corpus");
  }
}

bool parse(const Arguments& arguments, Options& options) {
  CommandLine line(
      {"compare", "A B [options]\n       moescope compare --run run.h5 A B [options]",
       "Tells what changed from checkpoint A to checkpoint B: the weights by role, layer, "
       "expert and tensor. With "
       "--corpus also the losses, how far the two choose the same experts, and whose load "
       "changed. With --run, "
       "A and B are names inside a run file, and nothing is computed anew.\n\n"
       "With --fail-above the exit code is 1 when a METRIC is above its VALUE anywhere, and standard "
       "error says where. Metrics of weights are held against the model, its roles, layers, experts and "
       "tensors; experts.relative_drift against experts alone, and so on:\n" +
           limit_metrics_text(),
       "moescope compare data/tiny-dots1/tiny-dots1-05T data/tiny-dots1/tiny-dots1-11.2T\n"
       "moescope compare --run run.h5 tiny-dots1-05T tiny-dots1-11.2T --json\n"
       "moescope compare --run run.h5 tiny-dots1-11T tiny-dots1-11.2T --fail-above relative_drift=0.05"});
  line.positional("A B", &options.names, 2, 2);
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
  if (!options.run.empty() && !options.analysis.corpus.empty()) {
    throw UsageError("--run and --corpus exclude each other (a run file holds its own results)");
  }
  check_limits(options);
  return true;
}

// A directory that goes with its owner.
struct TemporaryDirectory {
  fs::path path;
  TemporaryDirectory() {
    std::string name = (fs::temp_directory_path() / "moescope-XXXXXX").string();
    if (!mkdtemp(name.data())) throw_errno(name, "cannot make a temporary directory");
    path = name;
  }
  ~TemporaryDirectory() {
    std::error_code ignored;
    fs::remove_all(path, ignored);
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
};

// Two checkpoints are a short series: analysed like any other, into a run file that nobody keeps.
RunComparison compare_checkpoints(const Options& options) {
  const TemporaryDirectory directory;
  AnalysisOptions analysis = options.analysis.options();
  analysis.spectra = SpectraChoice::none;  // they are not shown, and would take longer than all the rest
  analysis.series = find_series({options.names.begin(), options.names.end()});
  analysis.output = directory.path / "run.h5";
  analysis.forward = !analysis.corpus.empty();
  analysis.spectra = SpectraChoice::none;  // not shown
  analysis.sketches = false;
  analysis.version = program_version();
  const InterruptGuard interrupt;
  analysis.interrupted = &interrupt.flag();
  AnalysisDisplay display(options.common);
  const AnalysisSummary summary = analyze_series(analysis, display);
  display.end();
  if (!summary.complete) throw Interrupted{};
  return compare_in_run(RunFile::open(analysis.output), analysis.series[0].name, analysis.series[1].name);
}

}  // namespace

ExitCode run_compare(const Arguments& arguments) {
  Options options;
  if (!parse(arguments, options)) return exit_done;
  const RunComparison comparison =
      options.run.empty() ? compare_checkpoints(options)
                          : compare_in_run(RunFile::open(options.run), options.names[0], options.names[1]);
  const std::vector<std::string> broken = broken_limits(comparison, options.limits);
  std::cout << (options.json ? json_text(json_of(comparison)) : text_of(comparison, options.top));
  for (const std::string& sentence : broken)
    std::cerr << "moescope: " << comparison.before << " -> " << comparison.after << ": " << sentence << '\n';
  return broken.empty() ? exit_done : exit_failed;
}

}  // namespace moescope
