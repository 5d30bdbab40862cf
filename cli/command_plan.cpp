#include <cctype>
#include <iostream>
#include <nlohmann/json.hpp>

#include "cli/analysis_arguments.h"
#include "cli/command_functions.h"
#include "cli/plan_text.h"
#include "cli/rates.h"
#include "readers/errors.h"
#include "readers/text/json_text.h"

namespace moescope {
namespace {

/// Ids, documents and positions of more could be recorded, but nobody would wait for them.
constexpr std::uint64_t most_tokens = 100'000'000;

/// A rate below is not meant in bytes or operations, when it stands without a unit.
constexpr double least_bare_rate = 1e6;

struct Options {
  std::vector<std::string> series;
  AnalysisArguments analysis;
  std::string output = "run.h5";
  std::uint64_t tokens = 0;  // 0: the corpus, or the default
  std::optional<std::string> bandwidth, flops;
  bool json = false;
  CommonOptions common;
};

CommandText command_text() {
  return {
      "plan", "SERIES [--corpus FILE...] [options]",
      "Tells what analyze would cost with the same options: parameters, bytes to read, operations, memory, "
      "time and the size of the run file. Needs config.json and reads headers where there are any; weights "
      "that are not there yet are taken as config.json describes them.\n"
      "\n"
      "Times rest on a measurement of a second or two: of this machine's matrix products, and of reading raw "
      "samples of the checkpoints' files (cached files read faster than cold ones; where the series does not "
      "fit the page cache, what is sampled is dropped from it first). --flops and --bandwidth replace it.",
      "moescope plan data/dots_llm1 --tokens 4096 --bandwidth 2GB/s\n"
      "moescope plan data/tiny-dots1 --corpus data/eval_text/*.jsonl --sequence-length 256 --memory 1GiB "
      "--json"};
}

void check(const Options& options, const CommandLine& line) {
  require_series(options.series, line);
  if (options.tokens > 0 && !options.analysis.corpus.empty()) {
    throw UsageError("--tokens and --corpus exclude each other",
                     "--max-tokens limits the tokens of a corpus, for each domain");
  }
  if (options.tokens > most_tokens) {
    throw UsageError("--tokens: expected at most " + std::to_string(most_tokens) + ", found " +
                     std::to_string(options.tokens));
  }
}

bool parse(const Arguments& arguments, Options& options) {
  CommandLine line(command_text());
  line.positional("SERIES", &options.series, 0);
  options.analysis.declare(line);
  line.number("tokens", "N", &options.tokens, 1,
              "tokens to evaluate where no corpus is given (default 4096)");
  line.text("output,o", "FILE", &options.output, "where the run file would be (default run.h5)");
  options.analysis.scope.declare(line);
  line.text("bandwidth", "RATE", &options.bandwidth, "reading rate, e.g. 2GB/s, instead of measuring it");
  line.text("flops", "RATE", &options.flops,
            "rate of matrix products, e.g. 400GFLOP/s, instead of measuring it");
  line.flag("json", &options.json, "print everything as JSON, layer by layer");
  line.common(&options.common);
  if (!line.parse(arguments)) return false;
  check(options, line);
  return true;
}

std::optional<double> given_rate(const char* option, const std::optional<std::string>& text, const char* unit,
                                 const char* example) {
  if (!text) return {};
  const std::optional<double> rate = parse_rate(*text, unit);
  const bool slow = rate && *rate < least_bare_rate && std::isdigit(static_cast<unsigned char>(text->back()));
  if (rate && !slow) return rate;
  throw UsageError(
      std::string(option) + ": expected a rate" + (slow ? " with its unit" : "") + ", found '" + *text + "'",
      std::string("write for example ") + example);
}

PlanRequest plan_request(const Options& options) {
  PlanRequest request;
  request.bytes_per_second = given_rate("--bandwidth", options.bandwidth, "B", "2GB/s or 2e9");
  request.flops_per_second = given_rate("--flops", options.flops, "FLOP", "400GFLOP/s or 4e11");
  request.analysis = options.analysis.options();
  request.analysis.output.file = options.output;
  if (options.tokens > 0) request.tokens = options.tokens;
  FoundSeries found = find_series({options.series.begin(), options.series.end()});
  request.analysis.inputs.series = std::move(found.entries);
  request.analysis.inputs.notes = std::move(found.notes);
  return request;
}

}  // namespace

ExitCode run_plan(const Arguments& arguments) {
  Options options;
  if (!parse(arguments, options)) return exit_done;
  const RunPlan plan = plan_run(plan_request(options));
  if (options.json) {
    std::cout << json_text(json_of(plan));
    return exit_done;
  }
  std::cout << text_of(plan);
  for (const std::string& note : plan.notes) {
    if (!options.common.quiet) std::cerr << "note: " << note << '\n';
  }
  return exit_done;
}

}  // namespace moescope
