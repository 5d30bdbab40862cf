#include "analysis/record/telemetry.h"

#include <string>
#include <vector>

#include "metrics/throughput/overlap_efficiency.h"
#include "readers/schema/run_schema.h"

namespace moescope {
namespace {

/// The labels of pass_part: the parts in the order of forward_cost.
std::vector<std::string> part_names(const ModelConfig& config) {
  std::vector<std::string> names = {"embedding"};
  for (std::int64_t layer = 0; layer < config.num_hidden_layers; ++layer)
    names.push_back("layer " + std::to_string(layer));
  names.emplace_back("head");
  return names;
}

void define_all(RunFile& run, std::initializer_list<const char*> paths) {
  for (const char* path : paths) run.define(raw_dataset(path));
}

/// value_of(part) of all parts, as one checkpoint's row.
template <class T, class ValueOf>
void write_parts(RunFile& run, const char* path, std::size_t checkpoint, std::size_t parts,
                 ValueOf value_of) {
  std::vector<T> row;
  for (std::size_t part = 0; part < parts; ++part) row.push_back(static_cast<T>(value_of(part)));
  run.write<T>(path, {{checkpoint, 0}, {1, parts}}, row);
}

void write_one(RunFile& run, const char* path, std::size_t checkpoint, double value) {
  run.write<double>(path, {{checkpoint}, {1}}, std::span(&value, 1));
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

void define_telemetry(RunFile& run, const ModelConfig& config, bool forward, bool weights, bool spectra) {
  if (forward) {
    run.define_dimension(raw_dataset("/pass_part"), part_names(config));
    define_all(run, {"/io/read_bytes", "/io/read_seconds", "/io/wait_seconds", "/io/compute_seconds",
                     "/io/flops", "/io/wall_seconds", "/io/overlap_efficiency"});
  }
  if (weights) define_all(run, {"/io/weight_pass_bytes", "/io/weight_pass_seconds"});
  if (spectra) define_all(run, {"/io/spectra_bytes", "/io/spectra_seconds"});
}

void write_forward_telemetry(RunFile& run, std::size_t checkpoint, const ForwardTimes& times,
                             std::span<const PartCost> cost, double wall_seconds) {
  if (!run.contains("/io/read_bytes")) return;
  const std::size_t parts = times.size();
  write_parts<std::int64_t>(run, "/io/read_bytes", checkpoint, parts,
                            [&](std::size_t part) { return times[part].stream.bytes; });
  write_parts<double>(run, "/io/read_seconds", checkpoint, parts,
                      [&](std::size_t part) { return times[part].stream.read_seconds; });
  write_parts<double>(run, "/io/wait_seconds", checkpoint, parts,
                      [&](std::size_t part) { return times[part].stream.wait_seconds; });
  write_parts<double>(run, "/io/compute_seconds", checkpoint, parts,
                      [&](std::size_t part) { return times[part].compute_seconds(); });
  write_parts<double>(run, "/io/flops", checkpoint, parts,
                      [&](std::size_t part) { return cost[part].cost.flops; });
  write_one(run, "/io/wall_seconds", checkpoint, wall_seconds);
  write_one(run, "/io/overlap_efficiency", checkpoint,
            forward_totals(times, cost, wall_seconds).overlap_efficiency());
}

void write_weight_telemetry(RunFile& run, std::span<const std::int64_t> bytes, double wall_seconds) {
  if (!run.contains("/io/weight_pass_bytes")) return;
  run.write<std::int64_t>("/io/weight_pass_bytes", bytes);
  run.write<double>("/io/weight_pass_seconds", std::vector<double>(bytes.size(), wall_seconds));
}

void write_spectra_telemetry(RunFile& run, std::span<const std::int64_t> bytes, double wall_seconds) {
  if (!run.contains("/io/spectra_bytes")) return;
  run.write<std::int64_t>("/io/spectra_bytes", bytes);
  run.write<double>("/io/spectra_seconds", std::vector<double>(bytes.size(), wall_seconds));
}

}  // namespace moescope
