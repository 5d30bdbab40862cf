#include "analysis/runs/run_stages.h"

#include <algorithm>
#include <string>
#include <system_error>

#include "analysis/machine/clock.h"
#include "analysis/machine/memory.h"
#include "analysis/record/forward_recorder.h"
#include "analysis/record/nonfinite_weights.h"
#include "analysis/record/recorded_sketches.h"
#include "analysis/record/router_record.h"
#include "analysis/record/spectra_record.h"
#include "analysis/record/weight_recorder.h"
#include "analysis/weights/router_weights.h"
#include "readers/schema/datasets.h"

namespace moescope {
namespace {

/// Bytes of weights of each checkpoint, by their numbers.
std::vector<std::int64_t> bytes_of(const OpenedSeries& series, const std::vector<std::size_t>& indices) {
  std::vector<std::int64_t> bytes;
  for (const ModelWeights& model : series.weights) {
    bytes.push_back(0);
    for (const std::size_t index : indices)
      bytes.back() += static_cast<std::int64_t>(model.all()[index].bytes());
  }
  return bytes;
}

std::uint64_t sum(const std::vector<std::int64_t>& values) {
  std::uint64_t total = 0;
  for (const std::int64_t value : values) total += static_cast<std::uint64_t>(value);
  return total;
}

/// The weights of this part.
WeightRange own_weights(const RunUnderWay& work) {
  return part_of_weights(work.series.weights.front().all(), work.scope().part.index, work.scope().part.count);
}

std::vector<std::size_t> numbers(WeightRange range) {
  std::vector<std::size_t> indices;
  for (std::size_t index = range.begin; index < range.end; ++index) indices.push_back(index);
  return indices;
}

/// The matrices among them whose spectra are measured.
std::vector<std::size_t> own_spectra(const RunUnderWay& work) {
  const WeightRange own = own_weights(work);
  std::vector<std::size_t> chosen = choose_spectra(work.series.weights.front().all(), work.scope().spectra);
  std::erase_if(chosen, [&](std::size_t index) { return index < own.begin || index >= own.end; });
  return chosen;
}

/// The checkpoints whose spectra are wanted: all, or those that are not recorded elsewhere, with their
/// neighbours, from which they have moved.
CheckpointRange wanted_checkpoints(const RunUnderWay& work) {
  const std::size_t count = work.series.size();
  const auto is_new = [&](std::size_t c) { return !work.is_recorded_elsewhere(c); };
  std::size_t first = 0, last = count - 1;
  while (first < last && !is_new(first)) ++first;
  while (last > first && !is_new(last)) --last;
  if (!is_new(first)) return {0, count};
  return {first > 0 ? first - 1 : 0, std::min(last + 2, count)};
}

/// Bytes of the matrices whose spectra are measured, of each checkpoint; 0 where they are recorded elsewhere.
std::vector<std::int64_t> spectra_bytes(const RunUnderWay& work) {
  std::vector<std::int64_t> bytes = bytes_of(work.series, own_spectra(work));
  const CheckpointRange wanted = wanted_checkpoints(work);
  for (std::size_t c = 0; c < bytes.size(); ++c) {
    if (c < wanted.begin || c >= wanted.end) bytes[c] = 0;
  }
  return bytes;
}

/// Values first, safe on the disk, then the mark that they are there.
void mark_finished(RunUnderWay& work, Dataset<std::uint8_t> status, const std::vector<std::uint8_t>& flags) {
  work.run.sync();
  work.run.write(status, flags);
  work.run.sync();
  work.bookmark.remove();
}

void require_unchanged(const RunUnderWay& work) {
  for (const Checkpoint& checkpoint : work.series.checkpoints) checkpoint.require_unchanged();
}

bool all_set(const std::vector<std::uint8_t>& flags) {
  return std::ranges::all_of(flags, [](std::uint8_t flag) { return flag == 1; });
}

/// A disk that has no room for a bookmark costs time after an interruption, and is no reason for one.
/// `complete` writes what the bookmark will say is there.
template <class Complete, class Save>
void save_if_due(RunUnderWay& work, Complete complete, Save save) {
  if (!work.bookmark.is_due()) return;
  complete();
  work.run.sync();
  try {
    save();
  } catch (const std::system_error& error) {
    work.bookmark.postpone();
    work.listener.remark("where this pass stands cannot be saved (" + std::string(error.what()) + ")");
  }
}

ForwardOptions forward_options(RunUnderWay& work, std::size_t checkpoint) {
  ForwardOptions options;
  options.precision = work.scope().precision.value();
  options.memory = work.options.resources.memory;
  options.interrupted = work.options.resources.interrupted;
  options.progress = [&work](std::uint64_t bytes) { work.listener.advance(bytes); };
  options.layer_done = [&work, checkpoint](const ForwardPosition& position, const Matrix& x) {
    save_if_due(
        work, [] {}, [&] { work.bookmark.save(checkpoint, position, x); });
  };
  return options;
}

}  // namespace

std::uint64_t RunUnderWay::memory() const {
  return memory_budget(options.resources.memory);
}

bool RunUnderWay::wants_forward(std::size_t checkpoint) const {
  return scope().forward && scope().part.has(checkpoint) && !forward_done[checkpoint] &&
         !is_recorded_elsewhere(checkpoint);
}

bool RunUnderWay::is_recorded_elsewhere(std::size_t checkpoint) const {
  return std::ranges::count(options.inputs.recorded_elsewhere, series.entries[checkpoint].name) > 0;
}

bool RunUnderWay::wants_weights() const {
  return scope().weights && !all_set(pair_done);
}

bool RunUnderWay::wants_spectra() const {
  return scope().measures_spectra() && !all_set(spectra_done);
}

std::uint64_t remaining_bytes(const RunUnderWay& work) {
  std::uint64_t bytes = 0;
  for (std::size_t c = 0; c < work.series.size(); ++c) {
    if (!work.wants_forward(c)) continue;
    bytes += forward_weight_bytes(work.series.checkpoints[c].config(), work.series.model(c), work.corpus,
                                  work.options.resources.memory);
  }
  if (work.wants_weights()) bytes += sum(bytes_of(work.series, numbers(own_weights(work))));
  if (work.wants_spectra()) bytes += sum(spectra_bytes(work));
  return bytes;
}

namespace {

/// Where a pass is not finite, the user must know, and from which weights it comes. A weight pass counts them
/// all; without one they are looked for.
void warn_of_forward(RunUnderWay& work, std::size_t c) {
  const std::string problem = describe_nonfinite_pass(work.run, c);
  if (problem.empty()) return;
  const NoteRows rows = NoteRows::of(work.run);
  if (!work.scope().weights) {
    std::string cause =
        find_nonfinite_weights(work.series.checkpoints[c], work.series.model(c), work.series.entries[c].name,
                               work.memory() / 2, work.options.resources.interrupted);
    if (cause.empty())
      cause =
          work.series.entries[c].name + ": all weights are finite: numbers overflow on the way through them";
    work.listener.warn(rows.of_weights(c), cause);
  }
  work.listener.warn(rows.of_forward(c), problem);
}

}  // namespace

void record_forward(RunUnderWay& work, std::size_t c) {
  work.listener.stage(work.series.entries[c].name + ": forward pass");
  const Checkpoint& checkpoint = work.series.checkpoints[c];
  const ModelWeights& weights = work.series.model(c);
  ForwardRecorder recorder(work.run, c, work.corpus, work.scope().save, work.threads);
  const Clock::time_point start = Clock::now();
  const ForwardTimes times =
      run_forward(checkpoint, weights, work.corpus, forward_options(work, c), work.threads, recorder,
                  work.bookmark.forward(c).value_or(ForwardStart()));
  const double seconds = seconds_since(start);
  checkpoint.require_unchanged();
  const std::vector<PartCost> cost = forward_cost(checkpoint.config(), weights, work.corpus.sequence_start);
  work.summary.forward += forward_totals(times, cost, seconds);
  recorder.finish();
  warn_of_forward(work, c);
  write_forward_telemetry(work.run, c, times, cost, seconds);
  work.forward_done[c] = 1;
  mark_finished(work, dataset::status_forward, work.forward_done);
}

namespace {

/// A position that an earlier process saved in this part, else its beginning.
WeightPosition weight_start(const RunUnderWay& work, WeightRange own) {
  WeightPosition start = work.bookmark.weights().value_or(WeightPosition());
  const bool fits = start.magnitude_counts.size() == WeightRecorder::magnitude_count_size(work.series.size());
  if (fits && start.next > own.begin && start.next <= own.end) return start;
  return {own.begin, {}};
}

void trace_own_weights(RunUnderWay& work, WeightRange own) {
  const std::size_t checkpoints = work.series.size();
  WeightPosition start = weight_start(work, own);
  const std::uint64_t held =
      program_memory + WeightRecorder::bytes(checkpoints, work.series.weights.front().all().size());
  WeightRecorder recorder(work.run, checkpoints, std::move(start.magnitude_counts));
  const auto add = [&](const WeightTrajectory& trajectory) {
    if (work.options.resources.interrupted && *work.options.resources.interrupted) throw Interrupted{};
    recorder.add(trajectory);
    const std::uint64_t bytes = trajectory.weight->bytes() * checkpoints;
    work.listener.advance(bytes);
    work.summary.weights.bytes += bytes;
    save_if_due(
        work, [&] { recorder.write(); },
        [&] {
          work.bookmark.save({trajectory.index + 1, recorder.magnitude_counts()});
        });
  };
  trace_weights(work.series.views(), {start.next, own.end}, work.threads,
                {.memory = work.memory() - std::min(work.memory(), held), .sketches = work.scope().sketches},
                add);
  recorder.finish();
}

void record_routers(RunUnderWay& work) {
  if (!work.run.contains(dataset::weights_router_row_norm)) return;
  // A part has the sketches of its own weights only; when parts are joined, experts are matched by all.
  const SketchReader sketches = work.scope().part.is_whole() ? sketches_of(work.run) : SketchReader();
  const RouterRecord record = read_routers(work.series.views(), sketches, work.threads);
  std::vector<std::string> names;
  for (const SeriesEntry& entry : work.series.entries) names.push_back(entry.name);
  const NoteRows rows = NoteRows::of(work.run);
  const std::vector<std::string> warnings = permutation_warnings(record, names);
  for (std::size_t step = 0; step < warnings.size(); ++step)
    work.listener.warn(rows.of_step(step), warnings[step]);
  write_routers(work.run, record);
}

}  // namespace

void record_weights(RunUnderWay& work) {
  work.listener.stage("weights of all checkpoints");
  const WeightRange own = own_weights(work);
  const Clock::time_point start = Clock::now();
  trace_own_weights(work, own);
  const double seconds = seconds_since(start);
  const NoteRows rows = NoteRows::of(work.run);
  for (std::size_t c = 0; c < work.series.size(); ++c)
    work.listener.warn(rows.of_weights(c), describe_nonfinite_weights(work.run, c));
  record_routers(work);
  require_unchanged(work);
  write_weight_telemetry(work.run, bytes_of(work.series, numbers(own)), seconds);
  work.run.sync();  // before anything says that it is there
  const std::vector<std::uint8_t> tensors(own.end - own.begin, 1);
  work.run.write(dataset::status_tensor_done, {{own.begin}, {tensors.size()}}, tensors);
  work.run.write(dataset::status_weights, std::vector<std::uint8_t>(work.series.size(), 1));
  work.pair_done.assign(work.series.size() * work.series.size(), 1);
  mark_finished(work, dataset::status_pair_done, work.pair_done);
}

namespace {

/// Whatever happens, what was measured is written: with all spectra of a large model that may be days of
/// work.
void trace_spectra_into(SpectraRecord& record, RunUnderWay& work) {
  SpectraOptions options;
  options.memory = spectra_budget(work.memory());
  options.interrupted = work.options.resources.interrupted;
  options.advance = [&](std::uint64_t bytes) {
    work.listener.advance(bytes);
    work.summary.spectra_bytes += bytes;
  };
  Clock::time_point written = Clock::now();
  const auto add = [&](const MatrixSpectra& spectra) {
    record.add(spectra);
    ++work.summary.spectra;
    if (seconds_since(written) < work.options.resources.seconds_between_saves) return;
    record.write(work.run);
    written = Clock::now();
  };
  std::vector<std::size_t> missing = own_spectra(work);
  std::erase_if(missing, [&](std::size_t index) { return record.contains(index); });
  const CheckpointRange wanted = wanted_checkpoints(work);
  const std::vector<CheckpointWeights> all = work.series.views();
  const std::size_t checkpoints = wanted.end - wanted.begin,
                    tensors = work.series.weights.front().all().size();
  const std::vector<double> deviation =
      work.run.read(dataset::weights_std, {{wanted.begin, 0}, {checkpoints, tensors}});
  try {
    trace_spectra(std::span(all).subspan(wanted.begin, checkpoints), missing, deviation, work.threads,
                  options, add);
  } catch (const Interrupted&) {
    record.write(work.run);
    throw;
  }
  record.write(work.run);
}

}  // namespace

void record_spectra(RunUnderWay& work) {
  work.listener.stage("spectra of weights");
  const Clock::time_point start = Clock::now();
  SpectraRecord record(work.run, wanted_checkpoints(work));
  trace_spectra_into(record, work);
  require_unchanged(work);
  work.summary.spectra_seconds = seconds_since(start);
  write_spectra_telemetry(work.run, spectra_bytes(work), work.summary.spectra_seconds);
  work.spectra_done.assign(work.series.size(), 1);
  mark_finished(work, dataset::status_spectra, work.spectra_done);
}

}  // namespace moescope
