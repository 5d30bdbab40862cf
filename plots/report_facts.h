#pragma once
/// The numbers that a report states in words and in summary.json, taken from a run file.

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "plots/run_values.h"

namespace moescope {

inline constexpr double unknown_number = std::numeric_limits<double>::quiet_NaN();

/// One checkpoint. NaN where the run file does not tell. Means over layers count each MoE layer once.
struct CheckpointFacts {
  std::string name, phase, fingerprint;
  double tokens = unknown_number, step = unknown_number;
  double loss = unknown_number, perplexity = unknown_number;  // over all domains' tokens
  std::vector<double> domain_loss;                            // (D)
  double max_violation = unknown_number;   // mean over layers, all domains' tokens together
  double load_entropy = unknown_number;    // mean over layers, of its maximum ln E
  double dead_experts = unknown_number;    // mean over layers and domains
  double router_entropy = unknown_number;  // mean over layers, of its maximum ln E
  double topk_mass = unknown_number;       // mean over layers
  double saturation = unknown_number;      // mean over layers
  std::vector<double> layer_max_violation, layer_saturation;  // (L)
  std::vector<double> drift;                                  // (roles) since the first checkpoint
  std::vector<double> step_drift;                             // (roles) since the checkpoint before
  double tortuosity = unknown_number;                         // of the whole model's path so far
};

struct ReportFacts {
  std::string title;  // what the checkpoints' names have in common, else the model type
  RunLabels labels;
  std::vector<CheckpointFacts> checkpoints;
  std::vector<std::string> unfinished;    // what the run lacks, in sentences
  std::vector<std::string> expert_moves;  // see expert_moves.h
  std::optional<double> saturation_chance, max_violation_bound;
  std::vector<double> domain_tokens;                          // (D)
  std::uint64_t experts_per_token = 0;                        // 0: unknown
  std::uint64_t total_parameters = 0, active_parameters = 0;  // 0: unknown
  /// What a reader of the report may want to know of the run, in order: ("Model", "dots1") …
  std::vector<std::pair<std::string, std::string>> glance;
  /// How it came about: ("Command line", "moescope analyze …") …
  std::vector<std::pair<std::string, std::string>> provenance;
};

ReportFacts read_report_facts(const RunFile& run);

}  // namespace moescope
