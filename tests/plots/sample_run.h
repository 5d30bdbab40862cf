#pragma once
/// A run file with plausible curves, for tests of figures and reports: no forward pass is needed to make it.

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace moescope {

struct SampleRun {
  std::vector<std::string> checkpoints = {"tiny-0T", "tiny-1T", "tiny-2T", "tiny-3T"};
  std::vector<double> tokens = {0, 1e12, 2e12, 3e12};  // NaN: unknown
  std::vector<std::string> domains = {"prose", "math"};
  std::int64_t layers = 3;  // the first is dense
  std::int64_t experts = 8;
  std::int64_t chosen = 2;
  bool forward = true;         // false: as of --only weights
  bool weights = true;         // false: as of --only forward
  bool measured = true;        // false: as of a version without /io
  std::size_t permuted = 0;    // the checkpoint before which experts 0 and 1 changed places; 0: none
  std::size_t unmeasured = 0;  // checkpoints at the end whose forward pass was not finished
  bool still = false;          // no weight moves, and no expert is dead
  bool broken = false;         // the first MoE layer has no routing at the last checkpoint
};

/// The values are simple functions of their indices, which the tests know:
///   loss                = 2 + d + exp(-c)
///   relative_load       = 1 at expert 2 and above; 0 at expert 0; 2 at expert 1
///   max_violation       = 1 / (1 + c) + layer / 10;  its pooled form is half of it
///   router_entropy      = ln E (1 - c / (2 C));      quantiles 0.8, 1 and 1.1 times that
///   router_saturation   = K/E + (1 - K/E) c / (C - 1) (1 - layer / 100)
///   routing_agreement   = 1 - |i - j| / (2 C)
///   *_relative_drift    = |i - j| / 10 (1 + role);   NaN for role "embedding" in layers
///   role_norm           = 10 + c
///   role_sketched_drift = 1.01 times the drift;      role_sketched_drift_error = 0.02 times it
///   expert_relative_drift     = |i - j| / 10 (1 + expert / 10)
///   role_path_length          = 2 c (1 + role);      role_tortuosity = 1 + c / 10, NaN at c = 0
///   role_update_rms_per_token = 1e-15 (1 + role) / (1 + step)
///   role_update_direction     = 1 - |step - other_step| / 2
///   role_trajectory_share     = 1/2, 1/4, 1/8 …;     role_trajectory_coordinate = c, c² / 4, 0, 0 …
///   stable_rank         = 2 + c + layer / 10 of routers; effective_rank twice that
///   power_law_alpha     = 4 - c / 10 of experts
///   router_row_cosine   = 1 - |e - e'| / 10
///   expert_match        = e, but for experts 0 and 1 at the step to checkpoint `permuted`; cosines 0.9
///   expert_weight_match = the same; cosines 0.8
///   read, wait_seconds  = 1 and 0.25; compute_seconds = 2 + part / 2; flops = 1e10 in each of N + 2 parts
///   wall_seconds        = 10 (N + 2); overlap_efficiency = 0.75
/// Random routing would have dead_experts 0.1 (1 + d), max_violation 0.2 (1 + d), its pooled form 0.15.
/// With checkpoint c, domain d, layer = position among the MoE layers. Every other metric is 0.5.
void write_sample_run(const std::filesystem::path& path, const SampleRun& sample = {});

/// Of the size of dots.llm1: 13 checkpoints, 22 domains, 61 MoE layers, 128 experts, top 6.
SampleRun large_sample();

/// Names that would run a program, end a string or start a script where they are not escaped.
SampleRun hostile_sample();

}  // namespace moescope
