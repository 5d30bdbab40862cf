#include "cli/analysis_arguments.h"

#include <cstdio>

#include "analysis/machine/job_limits.h"
#include "analysis/runs/run_identity.h"
#include "cli/terminal.h"
#include "readers/errors.h"
#include "readers/recorded/recorded_notes.h"
#include "readers/version.h"

namespace moescope {

void AnalysisArguments::declare(CommandLine& line) {
  line.list(
      "corpus", "[DOMAIN=]FILE...", &corpus,
      "evaluation texts: .jsonl or .txt, either with .gz or .zst, a pipe, - for standard input, or .npy with "
      "token ids; may be repeated");
  line.text("text-key", "POINTER", &corpus_options.text_key,
            "JSON pointer to a record's text (default /text)");
  line.text(
      "domain-key", "POINTER", &corpus_options.domain_key,
      "JSON pointer to a record's domain (default /meta/pile_set_name, then /domain, then the file's name)");
  line.number("sequence-length", "N", &corpus_options.sequence_length, 1,
              "longest sequence in tokens; longer documents are cut (default 2048)");
  line.number("max-tokens", "N", &corpus_options.max_tokens, 1,
              "at most N tokens of each domain (default all)");
  scope.declare_precision(line);
  line.number(
      "threads", "N", &threads, 1,
      "threads that compute (default one per processor that this job may use); results do not depend on it");
  line.size("memory", &memory,
            "memory budget, e.g. 4GiB (default half of what this job may use, 4 GiB at most)");
}

bool AnalysisArguments::changes_numbers() const {
  const AnalysisArguments untouched;
  return corpus_options.text_key != untouched.corpus_options.text_key ||
         corpus_options.domain_key != untouched.corpus_options.domain_key ||
         corpus_options.sequence_length != untouched.corpus_options.sequence_length ||
         corpus_options.max_tokens != untouched.corpus_options.max_tokens ||
         !is_same_scope(scope.parsed(), untouched.scope.scope);
}

AnalysisOptions AnalysisArguments::options() const {
  require_useful_threads(threads);
  AnalysisOptions options;
  for (const std::string& argument : corpus) options.inputs.corpus.push_back(parse_corpus_source(argument));
  options.inputs.corpus_options = corpus_options;
  options.scope = scope.parsed();
  options.scope.version = program_version();
  options.resources.threads = static_cast<unsigned>(threads);
  options.resources.memory = memory;
  return options;
}

void require_series(const std::vector<std::string>& series, const CommandLine& line) {
  if (!series.empty()) return;
  const std::string hint = line.swallowing_hint();
  throw UsageError("SERIES is missing",
                   hint.empty() ? "it stands before --corpus, which takes all files that follow it" : hint);
}

AnalysisDisplay::AnalysisDisplay(const CommonOptions& common) : common_(common), bar_(common.quiet) {}

void AnalysisDisplay::begin(std::uint64_t total_bytes) {
  total_ = total_bytes;
  start_ = std::chrono::steady_clock::now();
}

void AnalysisDisplay::stage(const std::string& label) {
  label_ = label;
  if (common_.verbose) line(label);
  draw();
}

void AnalysisDisplay::advance(std::uint64_t bytes) {
  done_ += bytes;
  draw();
}

void AnalysisDisplay::note(const std::string& message) {
  if (!common_.quiet) line((message.starts_with(warning_mark) ? "" : "note: ") + message);
}

void AnalysisDisplay::line(const std::string& text) {
  bar_.clear();
  std::fprintf(stderr, "%s\n", text.c_str());
}

void AnalysisDisplay::draw() {
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  const double fraction = total_ > 0 ? static_cast<double>(done_) / static_cast<double>(total_) : 0;
  const std::string rate = seconds > 0.5 ? format_bytes(static_cast<double>(done_) / seconds) + "/s" : "";
  bar_.update(label_, fraction, rate);
}

}  // namespace moescope
