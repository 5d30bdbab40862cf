#include "analysis/derive/metric_dataset.h"

#include "metrics/catalogue/metric_info.h"
#include "readers/errors.h"

namespace moescope {

std::string define_metric(RunFile& run, const std::string& name, const MetricBounds& bounds,
                          const char* missing) {
  const MetricInfo& info = metric_info(name);
  const std::string path = "/metrics/" + name;
  if (!run.contains(path)) {
    run.define({path, ElementType::f8, info.axes, info.unit, info.long_name, info.description, info.source});
  } else if (const DatasetSpec found = run.describe(path);
             found.type != ElementType::f8 || found.dimensions != info.axes) {
    throw FormatError(run.path().string(), path, "has another type or other dimensions than this metric has");
  }
  run.set_attribute(path, "formula", info.formula);
  run.set_attribute(path, "missing", std::string(missing));
  for (const auto& [bound, value] : bounds) run.set_attribute(path, bound, value);
  return path;
}

}  // namespace moescope
