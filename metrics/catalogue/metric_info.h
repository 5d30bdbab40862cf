#pragma once
/// One entry per metric: its name, formula and source. Feeds the run file's attributes, axis labels and
/// captions.

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace moescope {

struct MetricInfo {
  std::string name;       // "max_violation": the dataset /metrics/max_violation
  std::string long_name;  // "Maximum load violation (MaxVio)": titles and axis labels
  std::string unit;       // "1", "nat", "tokens"
  std::vector<std::string>
      axes;                    // dimension names of the run file, e.g. {"checkpoint", "domain", "moe_layer"}
  std::string formula;         // one line of plain text, e.g. "max_e n_e / mean(n) - 1"
  std::string description;     // one sentence: what it tells, which way is good
  std::string source;          // paper and equation
  bool from_weights = false;   // it follows from the weight pass, else from forward passes
  bool from_sketches = false;  // and needs its sketches
};

/// All metrics, in the order of presentation.
std::span<const MetricInfo> metric_catalogue();
/// Throws std::out_of_range.
const MetricInfo& metric_info(std::string_view name);

}  // namespace moescope
