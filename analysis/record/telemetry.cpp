#include "analysis/record/telemetry.h"

#include <string>
#include <vector>

#include "metrics/throughput/overlap_efficiency.h"
#include "readers/schema/datasets.h"
#include "readers/schema/run_schema.h"

namespace moescope {
namespace {

/// value_of(part) of all parts, as one checkpoint's row.
template <class T, class ValueOf>
void write_parts(RunFile& run, Dataset<T> dataset, std::size_t checkpoint, std::size_t parts,
                 ValueOf value_of) {
  std::vector<T> row;
  for (std::size_t part = 0; part < parts; ++part) row.push_back(static_cast<T>(value_of(part)));
  run.write(dataset, {{checkpoint, 0}, {1, parts}}, row);
}

void write_one(RunFile& run, Dataset<double> dataset, std::size_t checkpoint, double value) {
  run.write(dataset, {{checkpoint}, {1}}, std::span(&value, 1));
}

}  // namespace

double ForwardTotals::overlap_efficiency() const {
  return moescope::overlap_efficiency(times.stream.read_seconds, times.compute_seconds(), wall_seconds);
}

ForwardTotals& ForwardTotals::operator+=(const ForwardTotals& other) {
  passes += other.passes;
  times += other.times;
  flops += other.flops;
  wall_seconds += other.wall_seconds;
  return *this;
}

ForwardTotals forward_totals(const ForwardTimes& times, std::span<const PartCost> cost, double wall_seconds) {
  return {1, total(times), total_cost(cost).flops, wall_seconds};
}

std::vector<std::string> pass_part_names(const ModelConfig& config) {
  std::vector<std::string> names = {"embedding"};
  for (std::int64_t layer = 0; layer < config.num_hidden_layers; ++layer)
    names.push_back("layer " + std::to_string(layer));
  names.emplace_back("head");
  return names;
}

void write_forward_telemetry(RunFile& run, std::size_t checkpoint, const ForwardTimes& times,
                             std::span<const PartCost> cost, double wall_seconds) {
  if (!run.contains(dataset::io_read_bytes)) return;
  const std::size_t parts = times.size();
  write_parts(run, dataset::io_read_bytes, checkpoint, parts,
              [&](std::size_t part) { return times[part].stream.bytes; });
  write_parts(run, dataset::io_read_seconds, checkpoint, parts,
              [&](std::size_t part) { return times[part].stream.read_seconds; });
  write_parts(run, dataset::io_wait_seconds, checkpoint, parts,
              [&](std::size_t part) { return times[part].stream.wait_seconds; });
  write_parts(run, dataset::io_compute_seconds, checkpoint, parts,
              [&](std::size_t part) { return times[part].compute_seconds(); });
  write_parts(run, dataset::io_flops, checkpoint, parts,
              [&](std::size_t part) { return cost[part].cost.flops; });
  write_one(run, dataset::io_wall_seconds, checkpoint, wall_seconds);
  write_one(run, dataset::io_overlap_efficiency, checkpoint,
            forward_totals(times, cost, wall_seconds).overlap_efficiency());
}

void write_weight_telemetry(RunFile& run, std::span<const std::int64_t> bytes, double wall_seconds) {
  if (!run.contains(dataset::io_weight_pass_bytes)) return;
  run.write(dataset::io_weight_pass_bytes, bytes);
  run.write(dataset::io_weight_pass_seconds, std::vector<double>(bytes.size(), wall_seconds));
}

void write_spectra_telemetry(RunFile& run, std::span<const std::int64_t> bytes, double wall_seconds) {
  if (!run.contains(dataset::io_spectra_bytes)) return;
  run.write(dataset::io_spectra_bytes, bytes);
  run.write(dataset::io_spectra_seconds, std::vector<double>(bytes.size(), wall_seconds));
}

}  // namespace moescope
