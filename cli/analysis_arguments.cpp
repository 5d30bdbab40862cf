#include "cli/analysis_arguments.h"

#include <cstdio>

#include "analysis/machine/job_limits.h"
#include "cli/terminal.h"
#include "readers/errors.h"
#include "readers/recorded/recorded_notes.h"

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
  line.choice("precision", {"f32", "bf16"}, &precision,
              "arithmetic of the forward pass (default bf16 for BF16 weights, else f32)");
  line.number(
      "threads", "N", &threads, 1,
      "threads that compute (default one per processor that this job may use); results do not depend on it");
  line.size("memory", &memory,
            "memory budget, e.g. 4GiB (default half of what this job may use, 4 GiB at most)");
}

void AnalysisArguments::declare_weights(CommandLine& line) {
  line.choice(
      "spectra", {"all", "sample", "none"}, &spectra,
      "singular values of which matrices: all, none, or a sample (default): those with a short side up to "
      "256, so every router, and of larger experts 8");
  line.flag("no-sketches", &no_sketches,
            "leave out the sketches of weights (4 kB each), which stand for a checkpoint that is deleted");
}

bool AnalysisArguments::changes_numbers() const {
  const AnalysisArguments untouched;
  return corpus_options.text_key != untouched.corpus_options.text_key ||
         corpus_options.domain_key != untouched.corpus_options.domain_key ||
         corpus_options.sequence_length != untouched.corpus_options.sequence_length ||
         corpus_options.max_tokens != untouched.corpus_options.max_tokens ||
         precision != untouched.precision || spectra != untouched.spectra ||
         no_sketches != untouched.no_sketches;
}

AnalysisOptions AnalysisArguments::options() const {
  require_useful_threads(threads);
  AnalysisOptions options;
  for (const std::string& argument : corpus) options.corpus.push_back(parse_corpus_source(argument));
  options.corpus_options = corpus_options;
  if (precision == "f32") options.precision = Precision::f32;
  if (precision == "bf16") options.precision = Precision::bf16;
  options.spectra = parse_spectra_choice(spectra).value();
  options.sketches = !no_sketches;
  options.threads = static_cast<unsigned>(threads);
  options.memory = memory;
  return options;
}

void require_series(const std::vector<std::string>& series, const CommandLine& line) {
  if (!series.empty()) return;
  const std::string hint = line.swallowing_hint();
  throw UsageError("SERIES is missing",
                   hint.empty() ? "it stands before --corpus, which takes all files that follow it" : hint);
}

RecordOptions parse_saved_parts(const std::vector<std::string>& values) {
  RecordOptions save;
  for (std::string rest : values) {
    while (!rest.empty()) {
      const std::string part = rest.substr(0, rest.find(','));
      rest.erase(0, part.size() + 1);
      if (part == "router_logits") {
        save.router_logits = true;
      } else if (part == "hidden_states") {
        save.hidden_states = true;
      } else if (part == "logits") {
        save.logits = true;
      } else {
        throw UsageError("--save: expected router_logits, hidden_states or logits, found '" + part + "'",
                         did_you_mean(part, {"router_logits", "hidden_states", "logits"}));
      }
    }
  }
  return save;
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
