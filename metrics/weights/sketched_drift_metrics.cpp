#include "metrics/weights/sketched_drift_metrics.h"

#include "metrics/entry/metric_names.h"
#include "metrics/entry/words.h"
#include "metrics/weights/sketched_drift.h"

namespace moescope {
namespace {

using namespace words;

const std::string sketches = "Alon, Matias and Szegedy 1996; Charikar, Chen and Farach-Colton 2002";

constexpr const char* missing_estimate =
    "NaN where the weight pass is not finished, the model has no such weights, one of them is not finite at "
    "either checkpoint, or all of them are 0 at the first of the two.";

const std::vector<double>& estimate(const SketchedDrift& drift) {
  return drift.value;
}

const std::vector<double>& standard_error(const SketchedDrift& drift) {
  return drift.standard_error;
}

}  // namespace

std::vector<Metric> sketched_drift_metrics() {
  return {
      {.name = metric::role_sketched_drift,
       .long_name = "Relative drift of the weights by sketch, by role",
       .axes = pair_by_role,
       .formula = from_s_to_t + ", from sketches of W_s and W_t",
       .description =
           "ESTIMATE of how far the weights of a role moved from s to t, relative to their norm at s: from "
           "sketches alone, also where a checkpoint is gone. Its standard error is "
           "role_sketched_drift_error; moves below 3e-7 of the norm are lost in rounding. The exact value is "
           "role_relative_drift.",
       .source = sketches,
       .computation = OfSketches{estimate},
       .lower_bound = 0.0,
       .missing = missing_estimate},
      {.name = metric::role_sketched_drift_error,
       .long_name = "Standard error of the drift by sketch, by role",
       .axes = pair_by_role,
       .formula =
           "sqrt(sum over keys of (2 / m) (norm(W_t - W_s)²)²) / (2 norm(W_t - W_s) norm(W_s)), m = 1024",
       .description =
           "Standard error of role_sketched_drift, at most so much: tensors of up to 1,024 elements are "
           "exact, and the routed experts of a layer, whose sketches have one key, are taken to err together.",
       .source = sketches,
       .computation = OfSketches{standard_error},
       .lower_bound = 0.0,
       .missing = missing_estimate},
  };
}

}  // namespace moescope
