#include <cmath>
#include <filesystem>
#include <iostream>
#include <optional>

#include "analysis/runs/run_append.h"
#include "cli/analysis_arguments.h"
#include "cli/command_functions.h"
#include "cli/interrupt.h"
#include "cli/terminal.h"
#include "readers/errors.h"

namespace moescope {
namespace {

namespace fs = std::filesystem;

struct Options {
  std::vector<std::string> series;
  AnalysisArguments analysis;
  std::optional<std::string> output;  // absent: run.h5
  std::string append;
  bool overwrite = false, resume = false;
  std::uint64_t seconds_between_saves = 60;
  CommonOptions common;
};

CommandText command_text() {
  return {
      "analyze", "SERIES --corpus FILE... -o run.h5 [options]",
      "Runs the model of every checkpoint on the texts and compares the weights of all checkpoints; writes a "
      "run file. SERIES is several checkpoints (directories or .gguf files) in order, one directory that "
      "holds them, a Hugging Face cache repository, or a series file (.json). Every input is validated "
      "before the first long computation.\n"
      "\n"
      "The run file is there from the first second, with NaN where nothing is finished yet; it can be read "
      "meanwhile. Whatever ends the program (Ctrl-C, which stops cleanly, a kill, a full disk, a loss of "
      "power), what is finished is kept, and the same command goes on from there, to the same numbers.",
      "moescope analyze data/tiny-dots1 --corpus data/eval_text/*.jsonl --sequence-length 256 -o run.h5\n"
      "moescope analyze ckpt/01T ckpt/02T --corpus wiki=wiki.txt code.jsonl.zst --max-tokens 8192 -o run.h5\n"
      "moescope analyze ckpt/03T --append run.h5"};
}

void check_append(const Options& options) {
  if (!options.analysis.corpus.empty()) {
    throw UsageError("--append takes the texts that the run file holds, not --corpus",
                     "to measure other texts, analyze all checkpoints again");
  }
  const AnalysisScope& scope = options.analysis.scope.scope;
  if (!scope.part.is_whole() || !scope.forward || !scope.weights || options.overwrite)
    throw UsageError("--append cannot be joined with --part, --only or --overwrite");
  if (options.output) throw UsageError("--append and --output exclude each other (both name the run file)");
  if (options.analysis.changes_numbers()) {
    throw UsageError("--append takes the options of the analysis from the run file",
                     "only --threads, --memory and --save-every can be others");
  }
}

void check(const Options& options, const CommandLine& line) {
  require_series(options.series, line);
  if (options.resume && options.overwrite)
    throw UsageError(
        "--resume and --overwrite exclude each other (one keeps what is there, the other replaces it)");
  if (!options.append.empty()) return check_append(options);
  if (options.analysis.corpus.empty() && options.analysis.scope.scope.forward) {
    throw UsageError("--corpus is missing", "without texts, --only weights compares the weights alone");
  }
}

bool parse(const Arguments& arguments, Options& options) {
  CommandLine line(command_text());
  line.positional("SERIES", &options.series, 0);
  options.analysis.declare(line);
  line.text("output,o", "FILE", &options.output, "the run file (default run.h5)");
  line.flag("overwrite", &options.overwrite, "replace a run file that holds another analysis");
  line.flag(
      "resume", &options.resume,
      "only go on with the run file (the same command without it also does, but begins where there is none)");
  line.text("append", "RUN", &options.append,
            "add the checkpoints of SERIES to this run file, with its texts and options");
  options.analysis.scope.declare_part(line);
  line.number("save-every", "SECONDS", &options.seconds_between_saves, 0,
              "save where a pass stands, so that no more is lost (default 60)");
  options.analysis.scope.declare(line);
  line.common(&options.common);
  if (!line.parse(arguments)) return false;
  check(options, line);
  return true;
}

std::string command_line(const Arguments& arguments) {
  std::string text = "moescope analyze";
  for (const std::string& argument : arguments) text += " " + shell_quoted(argument);
  return text;
}

std::string run_file_of(const Options& options) {
  if (!options.append.empty()) return options.append;
  return options.output.value_or("run.h5");
}

AnalysisOptions analysis_options(const Options& options, const Arguments& arguments) {
  AnalysisOptions analysis = options.analysis.options();
  AnalysisInputs& inputs = analysis.inputs;
  FoundSeries found = find_series({options.series.begin(), options.series.end()});
  inputs.series = std::move(found.entries);
  inputs.notes = std::move(found.notes);
  if (!analysis.scope.forward && !inputs.corpus.empty()) {
    inputs.corpus.clear();
    inputs.notes.emplace_back("the texts of --corpus are not read: --only weights runs no forward pass");
  }
  analysis.resources.seconds_between_saves = static_cast<double>(options.seconds_between_saves);
  analysis.output = {.file = run_file_of(options),
                     .overwrite = options.overwrite,
                     .resume = options.resume,
                     .command_line = command_line(arguments)};
  return analysis;
}

std::string loss_in_words(const AnalysisSummary& summary, std::size_t checkpoint) {
  return summary.nonfinite_losses[checkpoint] > 0 ? "NaN" : format_fixed(summary.loss[checkpoint], 3);
}

// Checkpoints of which a loss is not finite have none.
std::string nonfinite_line(const AnalysisOptions& analysis, const AnalysisSummary& summary) {
  std::string text;
  for (std::size_t c = 0; c < summary.nonfinite_losses.size(); ++c) {
    if (summary.nonfinite_losses[c] == 0) continue;
    text += (text.empty() ? "          not finite: " : ", ") + std::to_string(summary.nonfinite_losses[c]) +
            " of " + std::to_string(summary.predictions) + " losses of " + analysis.inputs.series[c].name;
  }
  return text.empty() ? "" : text + '\n';
}

std::string loss_line(const AnalysisOptions& analysis, const AnalysisSummary& summary) {
  if (summary.loss.empty()) return "";
  if (std::isnan(summary.loss.front()) && summary.nonfinite_losses.front() == 0)
    return "";  // of another part
  std::string text = "loss      " + loss_in_words(summary, 0);
  if (summary.loss.size() > 1) text += " -> " + loss_in_words(summary, summary.loss.size() - 1);
  text += " nats per token (" + analysis.inputs.series.front().name;
  if (summary.loss.size() > 1) text += " -> " + analysis.inputs.series.back().name;
  return text + ")\n" + nonfinite_line(analysis, summary);
}

std::string forward_line(const ForwardTotals& forward) {
  if (forward.passes == 0) return "";
  return "forward   " + std::to_string(forward.passes) + (forward.passes == 1 ? " pass" : " passes") +
         " in " + format_duration(forward.wall_seconds) + ": " + format_flops(forward.flops_per_second()) +
         "/s, overlap efficiency " + format_percent(forward.overlap_efficiency()) + '\n';
}

std::string spectra_line(const AnalysisSummary& summary) {
  if (summary.spectra == 0) return "";
  return "spectra   " + plural(summary.spectra, "matrix", "matrices") + " in " +
         format_duration(summary.spectra_seconds) + '\n';
}

void print_summary(const AnalysisOptions& analysis, const AnalysisSummary& summary) {
  const std::string tokens = summary.tokens > 0 ? ", " + plural(summary.tokens, "token") : "";
  std::cout << plural(summary.checkpoints, "checkpoint") << tokens << ": done in "
            << format_duration(summary.seconds) << '\n'
            << loss_line(analysis, summary);
  const auto bytes =
      static_cast<double>(summary.forward.times.stream.bytes + summary.weights.bytes + summary.spectra_bytes);
  if (bytes > 0) std::cout << "read      " << format_bytes(bytes) << " of weights\n";
  std::cout << forward_line(summary.forward) << spectra_line(summary);
  if (summary.reused > 0) {
    std::cout << "reused    " << summary.reused << " of " << summary.checkpoints
              << " forward passes, of an earlier run\n";
  }
  const std::string run = shell_quoted(analysis.output.file.string());
  std::cout << "run file  " << run << " ("
            << format_bytes(static_cast<double>(fs::file_size(analysis.output.file))) << ")\n"
            << "next      moescope report " << run << " -o report.html\n";
}

std::string kept(const AnalysisOptions& analysis, const AnalysisSummary& summary, bool appends) {
  const std::string output = analysis.output.file.string();
  if (appends) return output + " is as it was, and what is finished waits in " + output + ".append";
  const std::string spectra =
      summary.spectra > 0 ? " and the spectra of " + plural(summary.spectra, "matrix", "matrices") : "";
  return output + " keeps the forward passes of " + std::to_string(summary.forward_finished) + " of " +
         std::to_string(summary.checkpoints) + " checkpoints" + spectra;
}

ExitCode report_interruption(const AnalysisOptions& analysis, const AnalysisSummary& summary, bool appends) {
  std::cerr << "moescope: interrupted: " << kept(analysis, summary, appends)
            << "\nhint: to go on: " << analysis.output.command_line << '\n';
  return exit_interrupted;
}

}  // namespace

ExitCode run_analyze(const Arguments& arguments) {
  Options options;
  if (!parse(arguments, options)) return exit_done;
  AnalysisOptions analysis = analysis_options(options, arguments);
  const InterruptGuard interrupt;
  analysis.resources.interrupted = &interrupt.flag();
  AnalysisDisplay display(options.common);
  const bool appends = !options.append.empty();
  const AnalysisSummary summary =
      appends ? append_checkpoints(analysis, display) : analyze_series(analysis, display);
  display.end();
  if (!summary.complete) return report_interruption(analysis, summary, appends);
  if (!options.common.quiet) print_summary(analysis, summary);
  return exit_done;
}

}  // namespace moescope
