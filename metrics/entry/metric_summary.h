#pragma once
/// How a metric by layer is told for each checkpoint: as the mean over layers, in summary.json and in the
/// table of checkpoints of a report.

#include <string>

namespace moescope {

struct MetricSummary {
  std::string column = {};      // heading in the table; empty: it is not in the table
  int digits = 4;               // there
  bool each_layer = false;      // summary.json has the layers, too
  bool each_domain = false;     // the mean is over domains, too; else domains are taken together
  bool of_upper_bound = false;  // as a share of the metric's upper bound: "normalized"
};

}  // namespace moescope
