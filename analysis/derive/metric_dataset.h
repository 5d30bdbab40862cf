#pragma once
/// /metrics/NAME: one dataset per metric of the catalogue, with what the catalogue says as attributes.

#include <map>
#include <string>

#include "readers/run_file/run_file.h"

namespace moescope {

/// Numbers without which a metric cannot be compared between models, e.g. {"upper_bound", E/K - 1}. The names
/// are chance, lower_bound and upper_bound; a value per domain is a vector named chance_by_domain.
using MetricBounds = std::map<std::string, AttributeValue>;

/// Why a value of a forward metric or of a weight metric is NaN: the attribute `missing`.
inline constexpr const char* missing_forward =
    "NaN where the checkpoint's forward pass is not finished, or no token of the domain chose experts: there "
    "are none, or their router scores are not finite (/routing/nonfinite_count).";
inline constexpr const char* missing_loss =
    "NaN where the checkpoint's forward pass is not finished, no token of the domain has a successor, or the "
    "loss of any is not finite (/loss/nonfinite_count).";
inline constexpr const char* missing_drift =
    "NaN where the weight pass is not finished or never read both checkpoints side by side, the model has no "
    "such weights, one of them is not finite at either checkpoint, or all of them are 0 at the first of the "
    "two.";
inline constexpr const char* missing_cosine =
    "NaN where the weight pass is not finished or never read both checkpoints side by side, the model has no "
    "such weights, one of them is not finite at either checkpoint, or all of them are 0 at one.";
inline constexpr const char* missing_estimate =
    "NaN where the weight pass is not finished, the model has no such weights, one of them is not finite at "
    "either checkpoint, or all of them are 0 at the first of the two.";

/// Defines the dataset of a catalogue metric unless it is there already (its values are then replaced, its
/// attributes renewed), and returns its path. Its dimensions must be defined.
std::string define_metric(RunFile& run, const std::string& name, const MetricBounds& bounds,
                          const char* missing);

}  // namespace moescope
