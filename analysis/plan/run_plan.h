#pragma once
/// What an analysis will cost, before it is run. Bytes and operations are counted exactly, memory and the run
/// file follow from shapes; times rest on a quick measurement of this machine, or on rates that are given.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "analysis/forward/forward_cost.h"
#include "analysis/plan/planned_series.h"
#include "analysis/plan/spectra_cost.h"
#include "analysis/runs/series_analysis.h"
#include "readers/model/parameter_count.h"

namespace moescope {

struct PlanRequest {
  AnalysisOptions analysis;     // as for the run itself
  std::uint64_t tokens = 4096;  // evaluated where there is no corpus, in sequences of the usual length
  std::optional<double> bytes_per_second, flops_per_second;  // measured where absent
};

/// What this machine does in a second.
struct MachineRates {
  double routed_flops = 0;          // in products of as many tokens as a routed expert gets
  double flops = 0;                 // in products of all tokens of a batch
  double bytes = 0;                 // read; NaN: there is nothing yet on which to measure it
  double weight_pass_elements = 0;  // compared, of all checkpoints together
  double spectra_flops = 0;         // in decompositions, of all threads together
};

/// One half of the work. Reading hides behind computing, part by part, so `seconds` is less than the sum of
/// the two, and not less than either.
struct WorkPlan {
  std::uint64_t passes = 0;  // over the weights of a checkpoint, all checkpoints together
  std::uint64_t bytes = 0;   // read
  double flops = 0;
  double read_seconds = 0, compute_seconds = 0, seconds = 0;

  WorkPlan& operator+=(const WorkPlan& other);
  bool is_limited_by_reading() const { return read_seconds > compute_seconds; }
};

struct CheckpointPlan {
  std::string name;
  double tokens_seen = 0;   // NaN: unknown
  bool stored = false;      // all shards are there
  std::uint64_t bytes = 0;  // of all weights
  WorkPlan forward;
};

struct RunPlan {
  ModelConfig config;
  ParameterCount parameters;
  std::vector<CheckpointPlan> checkpoints;  // (C)
  // Of the first checkpoint: its bytes once, all tokens' operations; the whole embedding without a forward
  // pass.
  std::vector<PartCost> parts;
  std::uint64_t tokens = 0, sequences = 0, longest_sequence = 0;  // 0 without a forward pass
  Precision precision = Precision::bf16;
  unsigned threads = 0;
  WorkPlan forward, weights, spectra;  // all checkpoints together
  SpectraChoice spectra_choice = SpectraChoice::none;
  std::size_t spectra_matrices = 0;
  std::uint64_t memory_budget = 0;          // bytes
  std::uint64_t peak_memory = 0;            // bytes that the run will really use
  std::uint64_t run_file_bytes = 0;         // an upper estimate
  std::optional<std::uint64_t> free_bytes;  // where the run file will lie; absent: it cannot be told
  MachineRates rates;
  bool measured_reading = false, measured_computing = false;
  double seconds = 0;
  std::vector<std::string> notes;
};

/// The part of the products' rate that a whole forward pass reaches: norms, attention, softmax and the router
/// take the rest.
inline constexpr double forward_efficiency = 0.85;

/// One checkpoint's forward pass of `passes` batches that are alike; `parts` is the cost of all sequences at
/// once. Pure.
WorkPlan plan_forward(std::span<const PartCost> parts, std::uint64_t passes, const MachineRates& rates);

/// `elements` weights in `bytes`, of all checkpoints together, compared. Pure.
WorkPlan plan_weight_pass(std::uint64_t checkpoints, std::uint64_t elements, std::uint64_t bytes,
                          const MachineRates& rates);

/// Matrices that are read whole before they are decomposed, on `threads` threads. Pure.
WorkPlan plan_spectra(const SpectraCost& cost, std::uint64_t checkpoints, const MachineRates& rates,
                      unsigned threads);

/// Reads configurations, headers and the corpus; raw samples of the shards where the reading rate is to be
/// measured, and no weights at all. Throws FormatError, UnsupportedModel, UsageError, std::system_error.
RunPlan plan_run(const PlanRequest& request);

}  // namespace moescope
