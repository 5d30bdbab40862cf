#include "analysis/runs/series_analysis.h"

#include <algorithm>
#include <system_error>

#include "analysis/derive/run_metrics.h"
#include "analysis/forward/forward.h"
#include "analysis/machine/clock.h"
#include "analysis/machine/memory.h"
#include "analysis/record/forward_record.h"
#include "analysis/record/token_notes.h"
#include "analysis/runs/run_identity.h"
#include "analysis/runs/run_layout.h"
#include "analysis/runs/run_notes.h"
#include "analysis/runs/run_output.h"
#include "analysis/runs/run_stages.h"
#include "analysis/runs/series_corpus.h"
#include "metrics/entry/metric.h"
#include "metrics/entry/metric_names.h"
#include "readers/errors.h"
#include "readers/recorded/attribute_text.h"
#include "readers/recorded/recorded_corpus.h"
#include "readers/run_file/run_lock.h"
#include "readers/schema/datasets.h"

namespace moescope {
namespace {

namespace fs = std::filesystem;

/// Weights as they are stored decide how they are best computed with.
Precision native_precision(const ModelWeights& weights) {
  return weights.at({Role::embedding}).dtype == DType::bf16 ? Precision::bf16 : Precision::f32;
}

std::vector<TokenizerPlace> tokenizer_places(const OpenedSeries& series) {
  std::vector<TokenizerPlace> places;
  for (std::size_t c = 0; c < series.size(); ++c)
    places.push_back({series.entries[c].name, series.checkpoints[c].tokenizer_path()});
  return places;
}

/// What lies at a path: a record of the same analysis to go on with, or the reason why it is none.
struct ExistingRecord {
  std::optional<RunFile> run;
  std::string difference;  // empty if nothing lies there
};

ExistingRecord find_record(const fs::path& path, const AnalysisScope& scope, const RunSubject& subject) {
  if (!fs::exists(path)) return {};  // an error in finding out is thrown: it is no absence
  try {
    RunFile run = RunFile::open_for_update(path);
    if (!holds_analysis(run))
      return {std::nullopt, "exists and holds no analysis, or one that is not laid out as this version does"};
    const std::string difference = identity_difference(run, scope, subject);
    if (difference.empty()) return {std::move(run), {}};
    return {std::nullopt, "exists and holds another analysis (" + difference + ")"};
  } catch (const InputError&) {
    require_replaceable(path);
    return {std::nullopt, "exists and is empty"};
  }
}

/// One analysis.
class SeriesAnalysis {
 public:
  SeriesAnalysis(const AnalysisOptions& options, const OpenedSeries& series, AnalysisListener& listener)
      : options_(options),
        listener_(listener),
        threads_(options.resources.threads),
        series_(series),
        subject_(subject_of(series_)) {
    for (const std::string& note : series_.notes) listener_.note(note);
    if (scope().save.router_logits && series_.config().moe_layers().empty())
      listener_.note("the model has no router, so that there are no router logits to save");
    require_run_output(options.output.file, input_files());
    if (scope().forward) load_corpus();
    if (!scope().forward) require_program_memory(options.resources.memory);
    options_.scope = settled_scope();
  }

  AnalysisSummary run();

 private:
  const AnalysisScope& scope() const { return options_.scope; }
  AnalysisScope settled_scope() const;
  std::vector<fs::path> input_files() const;
  void load_corpus();
  void load_recorded_corpus();
  RunFile begin_record(Bookmark& bookmark);
  void announce(const RunUnderWay& work);

  AnalysisOptions options_;
  RunNotes listener_;
  ThreadPool threads_;
  const OpenedSeries& series_;
  RunSubject subject_;
  Corpus corpus_;
  std::string tokenizer_sha256_;
  bool continued_ = false;
  AnalysisSummary summary_;
};

/// With what the inputs decide.
AnalysisScope SeriesAnalysis::settled_scope() const {
  AnalysisScope settled = scope();
  settled.precision = settled.precision.value_or(native_precision(series_.weights.front()));
  settled.checkpoints = checkpoints_digest(subject_);
  settled.corpus = corpus_.sha256;
  return settled;
}

std::vector<fs::path> SeriesAnalysis::input_files() const {
  std::vector<fs::path> files;
  for (const CorpusSource& source : options_.inputs.corpus) files.push_back(source.file);
  for (std::size_t c = 0; c < series_.size(); ++c) {
    for (const SourceFile& shard : series_.checkpoints[c].shards()) files.push_back(shard.name());
    for (const char* name : {"config.json", "args.json", "tokenizer.json", "model.safetensors.index.json"})
      files.push_back(series_.checkpoints[c].directory() / name);
  }
  return files;
}

void SeriesAnalysis::load_recorded_corpus() {
  const RunFile run = RunFile::open(options_.inputs.recorded_corpus);
  corpus_ = read_recorded_corpus(run);
  tokenizer_sha256_ = attribute_text(run, "/", "tokenizer_sha256");
  std::vector<TokenizerPlace> places = tokenizer_places(series_);
  std::erase_if(places, [&](const TokenizerPlace& place) {
    return std::ranges::count(options_.inputs.recorded_elsewhere, place.checkpoint) > 0;
  });
  const std::string note = other_tokenizers_note(places, tokenizer_sha256_);
  if (!note.empty()) listener_.note(note);
}

void SeriesAnalysis::load_corpus() {
  if (!options_.inputs.recorded_corpus.empty()) {
    load_recorded_corpus();
  } else {
    ModelConfig config = series_.config();
    config.vocab_size = series_.vocabulary();
    SeriesCorpus read =
        read_series_corpus(options_.inputs, options_.resources.memory, tokenizer_places(series_), config);
    corpus_ = std::move(read.corpus);
    tokenizer_sha256_ = std::move(read.tokenizer_sha256);
    for (const std::string& note : read.notes) listener_.note(note);
  }
  // Too little memory is told before there is a run file.
  for (const Checkpoint& checkpoint : series_.checkpoints)
    forward_budget(checkpoint.config(), corpus_, options_.resources.memory);
}

/// Finds the record of the same analysis to go on with, or makes a new one; refuses to replace another.
RunFile SeriesAnalysis::begin_record(Bookmark& bookmark) {
  const std::string output = options_.output.file.string();
  ExistingRecord existing = find_record(options_.output.file, scope(), subject_);
  continued_ = existing.run.has_value();
  if (existing.run) {
    require_layout(*existing.run, scope(), subject_, corpus_);
    return std::move(*existing.run);
  }
  if (!existing.difference.empty() && !options_.output.overwrite)
    throw UsageError(output + ": " + existing.difference, "give another -o, or --overwrite to replace it");
  if (options_.output.resume && existing.difference.empty())
    throw UsageError(output + ": does not exist, so there is nothing to resume",
                     "leave out --resume to begin");
  bookmark.remove();  // of the analysis that is replaced
  RunFile run = create_run(
      {options_.output.file, options_.output.command_line, scope(), subject_, corpus_, listener_.told()});
  run.set_attribute("/", "tokenizer_sha256", tokenizer_sha256_);
  write_run_metrics(run);  // NaN all of them: from here on, only values change
  run.sync();
  return run;
}

/// What an earlier process has left to be done.
void SeriesAnalysis::announce(const RunUnderWay& work) {
  summary_.reused = static_cast<std::size_t>(std::ranges::count(work.forward_done, 1));
  const std::uint64_t bytes = remaining_bytes(work);
  if (continued_ && bytes > 0) {
    listener_.remark(options_.output.file.string() + " is continued" +
                     (scope().forward ? ": " + std::to_string(summary_.reused) + " of " +
                                            std::to_string(series_.size()) + " forward passes are finished"
                                      : ""));
  }
  listener_.begin(bytes);
}

void run_stages(RunUnderWay& work) {
  for (std::size_t c = 0; c < work.series.size(); ++c) {
    if (work.wants_forward(c)) record_forward(work, c);
  }
  release_free_memory();  // of activations: what follows has a budget of its own
  if (work.wants_weights()) record_weights(work);
  if (work.wants_spectra()) record_spectra(work);
}

void summarize_losses(const RunFile& run, AnalysisSummary& summary) {
  const std::vector<bool> predicted = tokens_with_successor(run);
  const std::vector<std::int64_t> nonfinite = run.read(dataset::loss_nonfinite_count);  // (C, D)
  summary.predictions = static_cast<std::size_t>(std::ranges::count(predicted, true));
  summary.loss = run.read<double>(metric_path(pooled_name(metric::loss)));
  summary.nonfinite_losses.assign(summary.checkpoints, 0);
  const std::size_t domains = nonfinite.size() / summary.checkpoints;
  for (std::size_t i = 0; i < nonfinite.size(); ++i) summary.nonfinite_losses[i / domains] += nonfinite[i];
}

AnalysisSummary SeriesAnalysis::run() {
  const Clock::time_point start = Clock::now();
  summary_.checkpoints = series_.size();
  summary_.tokens = corpus_.token_id.size();
  const RunLock lock(options_.output.file);
  Bookmark bookmark(options_.output.file, identity_digest(scope()), options_.resources.seconds_between_saves);
  RunFile run = begin_record(bookmark);
  listener_.keep_in(run);
  RunUnderWay work{.options = options_,
                   .listener = listener_,
                   .threads = threads_,
                   .series = series_,
                   .corpus = corpus_,
                   .run = run,
                   .bookmark = bookmark,
                   .summary = summary_,
                   .forward_done = run.read(dataset::status_forward),
                   .spectra_done = run.read(dataset::status_spectra),
                   .pair_done = {}};
  if (scope().weights) work.pair_done = run.read(dataset::status_pair_done);
  announce(work);
  try {
    run_stages(work);
    summary_.complete = true;
  } catch (const Interrupted&) {
    summary_.complete = false;
  }
  listener_.stage("metrics");
  write_run_metrics(run);
  listener_.warn(NoteRows::of(run).of_tokens(), describe_few_tokens(run));
  run.sync();
  summary_.forward_finished = static_cast<std::size_t>(std::ranges::count(work.forward_done, 1));
  if (scope().forward) summarize_losses(run, summary_);
  summary_.seconds = seconds_since(start);
  return summary_;
}

void require_texts(const AnalysisOptions& options) {
  if (options.scope.forward && options.inputs.corpus.empty() && options.inputs.recorded_corpus.empty())
    throw UsageError("a forward pass needs texts", "give --corpus FILE..., or --only weights");
}

}  // namespace

AnalysisSummary analyze_series(const AnalysisOptions& options, AnalysisListener& listener) {
  require_texts(options);
  return analyze_series(options, open_series(options.inputs.series, options.inputs.notes), listener);
}

AnalysisSummary analyze_series(const AnalysisOptions& options, const OpenedSeries& series,
                               AnalysisListener& listener) {
  require_texts(options);
  return SeriesAnalysis(options, series, listener).run();
}

}  // namespace moescope
