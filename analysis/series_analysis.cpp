#include "analysis/series_analysis.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <system_error>

#include "analysis/clock.h"
#include "analysis/forward.h"
#include "analysis/memory_budget.h"
#include "analysis/router_weights.h"
#include "analysis/run_layout.h"
#include "analysis/run_metrics.h"
#include "analysis/spectra_record.h"
#include "analysis/weight_recorder.h"
#include "metrics/language_loss.h"
#include "readers/errors.h"
#include "readers/tokenizer.h"

namespace moescope {
namespace {

namespace fs = std::filesystem;

/// What is measured meanwhile is lost when the process is killed.
constexpr double seconds_between_writes = 60;

/// Weights as they are stored decide how they are best computed with.
Precision native_precision(const ModelWeights& weights) {
  return weights.at({Role::embedding}).dtype == DType::bf16 ? Precision::bf16 : Precision::f32;
}

/// The tokenizer of the series; null if no checkpoint has one.
std::optional<Tokenizer> load_tokenizer(const OpenedSeries& series, AnalysisListener& listener) {
  std::optional<Tokenizer> tokenizer;
  std::string origin;
  for (std::size_t c = 0; c < series.size(); ++c) {
    const fs::path path = series.checkpoints[c].tokenizer_path();
    if (path.empty()) continue;
    Tokenizer found = Tokenizer::load(path);
    if (!tokenizer) {
      tokenizer = std::move(found);
      origin = series.entries[c].name;
    } else if (found.sha256() != tokenizer->sha256()) {
      listener.note(series.entries[c].name + ": its tokenizer.json differs from that of " + origin +
                    ", which is used for the whole series");
    }
  }
  return tokenizer;
}

/// Bytes of weights of each checkpoint.
std::vector<std::int64_t> weight_bytes(const OpenedSeries& series) {
  std::vector<std::int64_t> bytes;
  for (const ModelWeights& model : series.weights) {
    bytes.push_back(0);
    for (const Weight& weight : model.all()) bytes.back() += static_cast<std::int64_t>(weight.bytes());
  }
  return bytes;
}

/// Bytes of the matrices of each checkpoint whose spectra are measured.
std::vector<std::int64_t> chosen_bytes(const OpenedSeries& series, SpectraChoice choice) {
  std::vector<std::int64_t> bytes;
  for (const ModelWeights& model : series.weights) {
    bytes.push_back(0);
    for (const std::size_t index : choose_spectra(model.all(), choice))
      bytes.back() += static_cast<std::int64_t>(model.all()[index].bytes());
  }
  return bytes;
}

fs::path partial_path(const fs::path& output) {
  return output.string() + ".partial";
}

/// What lies at a path: a record of the same analysis to go on with, or the reason why it is none.
struct ExistingRecord {
  std::optional<RunFile> run;
  std::string difference;  // empty if nothing lies there
};

ExistingRecord find_record(const fs::path& path, const RunIdentity& identity) {
  std::error_code ignored;
  if (!fs::exists(path, ignored)) return {};
  try {
    RunFile run = RunFile::open_for_update(path);
    const std::string difference = identity_difference(run, identity);
    if (difference.empty()) return {std::move(run), {}};
    return {std::nullopt, "exists and holds another analysis (not the same: " + difference + ")"};
  } catch (const FormatError&) {
    return {std::nullopt, "exists and is no readable run file"};
  }
}

bool all_set(const std::vector<std::uint8_t>& flags) {
  return std::ranges::all_of(flags, [](std::uint8_t flag) { return flag == 1; });
}

/// One analysis under way.
class SeriesAnalysis {
 public:
  SeriesAnalysis(const AnalysisOptions& options, AnalysisListener& listener)
      : options_(options),
        listener_(listener),
        threads_(options.threads),
        series_(open_series(options.series)) {
    for (const std::string& note : series_.notes) listener_.note(note);
    precision_ = options.precision.value_or(native_precision(series_.weights.front()));
    if (options.forward) load_corpus();
    identity_ = run_identity(options, series_, corpus_, precision_);
  }

  AnalysisSummary run();

 private:
  void load_corpus();
  RunFile begin_record();
  void record_passes(RunFile& run);
  void record_forward(RunFile& run, std::size_t c);
  void record_weights(RunFile& run);
  void record_routers(RunFile& run);
  bool wants_spectra() const;
  std::vector<std::size_t> missing_spectra(const SpectraRecord& record) const;
  void record_spectra(RunFile& run);
  void trace_spectra_into(SpectraRecord& record, RunFile& run);
  std::uint64_t remaining_bytes() const;

  const AnalysisOptions& options_;
  AnalysisListener& listener_;
  ThreadPool threads_;
  OpenedSeries series_;
  Precision precision_ = Precision::f32;
  Corpus corpus_;
  std::string tokenizer_sha256_;
  RunIdentity identity_;
  std::vector<std::uint8_t> forward_done_, weights_done_, spectra_done_;  // (C)
  AnalysisSummary summary_;
};

void SeriesAnalysis::load_corpus() {
  const std::optional<Tokenizer> tokenizer = load_tokenizer(series_, listener_);
  if (tokenizer) tokenizer_sha256_ = tokenizer->sha256();
  corpus_ = read_corpus(options_.corpus, options_.corpus_options, tokenizer ? &*tokenizer : nullptr,
                        static_cast<std::uint32_t>(series_.config().vocab_size));
  const std::uint64_t memory = options_.memory == 0 ? default_memory_budget() : options_.memory;
  // Too little memory is told before there is a run file.
  divide_memory(series_.config(), memory, corpus_.tokens(), longest_sequence(corpus_.sequence_start));
}

/// Finds the record of the same analysis to go on with, or makes a new one; refuses to replace another.
RunFile SeriesAnalysis::begin_record() {
  const fs::path partial = partial_path(options_.output);
  if (ExistingRecord existing = find_record(options_.output, identity_); existing.run) {
    existing.run.reset();
    fs::rename(options_.output, partial);
  } else if (!existing.difference.empty() && !options_.overwrite) {
    throw UsageError(options_.output.string() + ": " + existing.difference,
                     "give another -o, or --overwrite to replace it");
  }
  // What a killed process left half written is not worth a question: it is made anew.
  if (ExistingRecord unfinished = find_record(partial, identity_); unfinished.run)
    return std::move(*unfinished.run);
  try {
    RunFile run = create_run(partial, options_, series_, corpus_, identity_);
    run.set_attribute("/", "tokenizer_sha256", tokenizer_sha256_);
    run.flush();
    return run;
  } catch (const std::system_error& error) {
    throw std::system_error(error.code(), options_.output.string() + ": cannot create the run file");
  }
}

std::uint64_t SeriesAnalysis::remaining_bytes() const {
  std::uint64_t bytes = 0;
  for (std::size_t c = 0; c < series_.size(); ++c) {
    if (options_.forward && !forward_done_[c]) {
      bytes += forward_weight_bytes(series_.config(), series_.weights[c], corpus_, options_.memory);
    }
  }
  if (options_.weights && !all_set(weights_done_)) bytes += series_.bytes();
  if (wants_spectra()) {
    for (const std::int64_t chosen : chosen_bytes(series_, options_.spectra))
      bytes += static_cast<std::uint64_t>(chosen);
  }
  return bytes;
}

void SeriesAnalysis::record_forward(RunFile& run, std::size_t c) {
  listener_.stage(series_.entries[c].name + ": forward pass");
  const ModelConfig& config = series_.checkpoints[c].config();
  RunRecorder recorder(run, c, corpus_, config.moe_layers().size(),
                       static_cast<std::size_t>(config.n_routed_experts), options_.save);
  const ForwardOptions forward{precision_, options_.memory, options_.interrupted,
                               [this](std::uint64_t bytes) { listener_.advance(bytes); }};
  const Clock::time_point start = Clock::now();
  const ForwardTimes times =
      run_forward(series_.checkpoints[c], series_.weights[c], corpus_, forward, threads_, recorder);
  const double seconds = seconds_since(start);
  const std::vector<PartCost> cost = forward_cost(config, series_.weights[c], corpus_.sequence_start);
  summary_.forward += forward_totals(times, cost, seconds);
  recorder.finish();
  write_forward_telemetry(run, c, times, cost, seconds);
  forward_done_[c] = 1;
  run.write<std::uint8_t>("/status/forward", forward_done_);
  run.flush();
}

void SeriesAnalysis::record_weights(RunFile& run) {
  listener_.stage("weights of all checkpoints");
  const std::size_t weights = series_.weights.front().all().size();
  const std::uint64_t memory = options_.memory == 0 ? default_memory_budget() : options_.memory;
  const std::uint64_t held = program_memory + WeightRecorder::bytes(series_.size(), weights);
  WeightRecorder recorder(run, series_.size(), weights);
  const Clock::time_point start = Clock::now();
  trace_weights(series_.views(), threads_, memory - std::min(memory, held),
                [&](const WeightTrajectory& trajectory) {
                  if (options_.interrupted && *options_.interrupted) throw Interrupted{};
                  recorder.add(trajectory);
                  listener_.advance(trajectory.weight->bytes() * series_.size());
                  summary_.weights.bytes += trajectory.weight->bytes() * series_.size();
                });
  const double seconds = seconds_since(start);
  recorder.finish();
  record_routers(run);
  write_weight_telemetry(run, weight_bytes(series_), seconds);
  weights_done_.assign(series_.size(), 1);
  run.write<std::uint8_t>("/status/weights", weights_done_);
  run.flush();
}

void SeriesAnalysis::record_routers(RunFile& run) {
  if (!run.contains("/weights/router_row_norm")) return;
  const RouterRecord record = read_routers(series_.views(), sketches_of(run), threads_);
  std::vector<std::string> names;
  for (const SeriesEntry& entry : series_.entries) names.push_back(entry.name);
  for (const std::string& warning : permutation_warnings(record, names)) listener_.note(warning);
  write_routers(run, record);
}

bool SeriesAnalysis::wants_spectra() const {
  return options_.weights && options_.spectra != SpectraChoice::none && !all_set(spectra_done_);
}

std::vector<std::size_t> SeriesAnalysis::missing_spectra(const SpectraRecord& record) const {
  std::vector<std::size_t> indices = choose_spectra(series_.weights.front().all(), options_.spectra);
  std::erase_if(indices, [&](std::size_t index) { return record.contains(index); });
  return indices;
}

/// Whatever happens, what was measured is written: with all spectra of a large model that may be days of
/// work.
void SeriesAnalysis::trace_spectra_into(SpectraRecord& record, RunFile& run) {
  SpectraOptions options;
  options.memory = spectra_budget(options_.memory == 0 ? default_memory_budget() : options_.memory);
  options.interrupted = options_.interrupted;
  options.advance = [this](std::uint64_t bytes) {
    listener_.advance(bytes);
    summary_.spectra_bytes += bytes;
  };
  Clock::time_point written = Clock::now();
  const auto add = [&](const MatrixSpectra& spectra) {
    record.add(spectra);
    ++summary_.spectra;
    if (seconds_since(written) < seconds_between_writes) return;
    record.write(run);
    run.flush();
    written = Clock::now();
  };
  try {
    trace_spectra(series_.views(), missing_spectra(record), run.read<double>("/weights/std"), threads_,
                  options, add);
  } catch (const Interrupted&) {
    record.write(run);
    throw;
  }
  record.write(run);
}

void SeriesAnalysis::record_spectra(RunFile& run) {
  listener_.stage("spectra of weights");
  const Clock::time_point start = Clock::now();
  SpectraRecord record(run);
  trace_spectra_into(record, run);
  summary_.spectra_seconds = seconds_since(start);
  write_spectra_telemetry(run, chosen_bytes(series_, options_.spectra), summary_.spectra_seconds);
  spectra_done_.assign(series_.size(), 1);
  run.write<std::uint8_t>("/status/spectra", spectra_done_);
  run.flush();
}

void SeriesAnalysis::record_passes(RunFile& run) {
  for (std::size_t c = 0; c < series_.size(); ++c) {
    if (options_.forward && !forward_done_[c]) record_forward(run, c);
  }
  if (options_.weights && !all_set(weights_done_)) record_weights(run);
  if (wants_spectra()) record_spectra(run);
}

/// Mean loss of each checkpoint over all tokens.
std::vector<double> losses(const RunFile& run, std::size_t checkpoints) {
  std::vector<double> result;
  const std::uint64_t tokens = run.shape("/loss/nll")[1];
  for (std::size_t c = 0; c < checkpoints; ++c) {
    result.push_back(language_loss(run.read<double>("/loss/nll", {{c, 0}, {1, tokens}})).mean());
  }
  return result;
}

AnalysisSummary SeriesAnalysis::run() {
  const Clock::time_point start = Clock::now();
  summary_.checkpoints = series_.size();
  summary_.tokens = corpus_.token_id.size();
  {
    RunFile run = begin_record();
    forward_done_ = run.read<std::uint8_t>("/status/forward");
    weights_done_ = run.read<std::uint8_t>("/status/weights");
    spectra_done_ = run.read<std::uint8_t>("/status/spectra");
    summary_.reused = static_cast<std::size_t>(std::ranges::count(forward_done_, 1));
    listener_.begin(remaining_bytes());
    try {
      record_passes(run);
      summary_.complete = true;
    } catch (const Interrupted&) {
      summary_.complete = false;
    }
    listener_.stage("metrics");
    write_run_metrics(run);
    if (options_.forward) summary_.loss = losses(run, series_.size());
  }
  fs::rename(partial_path(options_.output), options_.output);
  summary_.seconds = seconds_since(start);
  return summary_;
}

}  // namespace

AnalysisSummary analyze_series(const AnalysisOptions& options, AnalysisListener& listener) {
  if (options.forward && options.corpus.empty()) {
    throw UsageError("a forward pass needs texts", "give --corpus FILE..., or --only weights");
  }
  return SeriesAnalysis(options, listener).run();
}

}  // namespace moescope
