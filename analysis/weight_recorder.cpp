#include "analysis/weight_recorder.h"

#include <algorithm>

#include "metrics/weight_drift.h"

namespace moescope {

WeightRecorder::WeightRecorder(std::size_t checkpoints, std::size_t weights)
    : checkpoints_(checkpoints),
      weights_(weights),
      norm_(checkpoints * weights),
      mean_(norm_.size()),
      std_(norm_.size()),
      max_abs_(norm_.size()),
      nonfinite_count_(norm_.size()),
      inner_product_(weights * checkpoints * checkpoints),
      delta_inner_product_(weights * (checkpoints - 1) * (checkpoints - 1)),
      relative_drift_(inner_product_.size()),
      cosine_(inner_product_.size()) {}

void WeightRecorder::add(const WeightTrajectory& trajectory) {
  const std::size_t w = trajectory.index;
  for (std::size_t c = 0; c < checkpoints_; ++c) {
    const WeightStats& stats = trajectory.stats[c];
    norm_[c * weights_ + w] = stats.norm;
    mean_[c * weights_ + w] = stats.mean;
    std_[c * weights_ + w] = stats.standard_deviation;
    max_abs_[c * weights_ + w] = stats.max_abs;
    nonfinite_count_[c * weights_ + w] = stats.nonfinite_count;
  }
  const WeightInnerProducts& products = trajectory.products;
  const std::size_t pairs = products.inner_product.size(), deltas = products.delta_inner_product.size();
  std::copy_n(products.inner_product.begin(), pairs,
              inner_product_.begin() + static_cast<std::ptrdiff_t>(w * pairs));
  std::copy_n(products.delta_inner_product.begin(), deltas,
              delta_inner_product_.begin() + static_cast<std::ptrdiff_t>(w * deltas));
  const std::vector<double> drift = relative_drift(products), cosine = weight_cosine(products);
  for (std::size_t pair = 0; pair < pairs; ++pair) {
    relative_drift_[pair * weights_ + w] = drift[pair];
    cosine_[pair * weights_ + w] = cosine[pair];
  }
}

void WeightRecorder::write(RunFile& run) const {
  run.write<double>("/weights/norm", norm_);
  run.write<double>("/weights/mean", mean_);
  run.write<double>("/weights/std", std_);
  run.write<double>("/weights/max_abs", max_abs_);
  run.write<std::int64_t>("/weights/nonfinite_count", nonfinite_count_);
  run.write<double>("/weights/inner_product", inner_product_);
  if (checkpoints_ > 1) run.write<double>("/weights/delta_inner_product", delta_inner_product_);
  run.write<double>("/weights/relative_drift", relative_drift_);
  run.write<double>("/weights/cosine", cosine_);
}

}  // namespace moescope
