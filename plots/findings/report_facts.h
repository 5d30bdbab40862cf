#pragma once
/// The numbers that a report states in words and in summary.json, taken from a run file.

#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "plots/figures/run_values.h"

namespace moescope {

inline constexpr double unknown_number = std::numeric_limits<double>::quiet_NaN();

/// One number for each MoE layer, and their mean. NaN: the layer has none, and the mean is over the others.
struct LayerFacts {
  std::vector<double> layers;    // (L), or (D * L) where it is measured by domain; empty: not in the file
  double mean = unknown_number;  // of those that exist, each once

  std::size_t known() const;
  bool is_partial() const { return known() < layers.size(); }
};

/// One checkpoint. NaN where the run file does not tell.
struct CheckpointFacts {
  std::string name, phase, fingerprint;
  double tokens = unknown_number, step = unknown_number;
  bool measured = true;                                       // false: its forward pass is not finished
  double loss = unknown_number, perplexity = unknown_number;  // over all domains' tokens
  std::vector<double> domain_loss;                            // (D)
  std::int64_t nonfinite_losses = 0;                          // where there is any, the loss is NaN
  std::map<std::string, LayerFacts, std::less<>> summaries;   // of metrics that have a MetricSummary
  std::vector<double> norm;                                   // (roles) of the weights; empty: not told
  std::vector<double> drift;                                  // (roles) since the first checkpoint
  std::vector<double> step_drift;                             // (roles) since the checkpoint before
  double tortuosity = unknown_number;                         // of the whole model's path so far

  /// A summary; without layers where the file does not have the metric.
  const LayerFacts& of(std::string_view metric) const;
};

struct ReportFacts {
  std::string title;     // what the checkpoints' names have in common, else the model type
  std::string subtitle;  // "7 checkpoints, from 0 to 11.2 T training tokens"
  RunLabels labels;
  std::vector<CheckpointFacts> checkpoints;
  std::vector<std::string> notes;         // of the run file, warnings first
  std::vector<std::string> unfinished;    // what the run lacks, in sentences
  std::vector<std::string> expert_moves;  // see expert_moves.h
  /// What random routing would give of summaries, where the run file tells: of as many tokens, averaged over
  /// domains where the summary is.
  std::map<std::string, double, std::less<>> chance;
  bool load_is_pooled = true;           // the load is that of all domains' tokens together, not their average
  std::vector<double> domain_tokens;    // (D)
  std::vector<bool> role_exists;        // (roles) whether the model has such weights
  std::uint64_t experts_per_token = 0;  // 0: unknown
  std::uint64_t total_parameters = 0, active_parameters = 0;  // 0: unknown
  /// What a reader of the report may want to know of the run, in order: ("Model", "dots1") …
  std::vector<std::pair<std::string, std::string>> glance;
  /// How it came about: ("Command line", "moescope analyze …") …
  std::vector<std::pair<std::string, std::string>> provenance;
};

/// Nothing where the run file does not tell.
std::optional<double> chance_of(const ReportFacts& facts, std::string_view metric);

ReportFacts read_report_facts(const RunFile& run);

}  // namespace moescope
