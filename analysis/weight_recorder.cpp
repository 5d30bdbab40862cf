#include "analysis/weight_recorder.h"

#include <algorithm>
#include <cmath>
#include <iterator>

#include "metrics/weight_drift.h"
#include "readers/tensor_roles.h"

namespace moescope {
namespace {

/// Weights whose sketches and steps are written together.
constexpr std::size_t batch_weights = 512;
constexpr std::size_t whole_model = std::size(all_role_groups);  // stands behind the roles
constexpr std::size_t role_count = whole_model + 1;

double root_mean_square(const WeightStats& stats) {
  return stats.norm / std::sqrt(static_cast<double>(stats.element_count - stats.nonfinite_count));
}

struct Statistic {
  const char* path;
  double (*of)(const WeightStats&);
};
constexpr Statistic statistics[] = {
    {"/weights/norm", [](const WeightStats& stats) { return stats.norm; }},
    {"/weights/rms", root_mean_square},
    {"/weights/mean", [](const WeightStats& stats) { return stats.mean; }},
    {"/weights/std", [](const WeightStats& stats) { return stats.standard_deviation; }},
    {"/weights/kurtosis", [](const WeightStats& stats) { return stats.kurtosis; }},
    {"/weights/min", [](const WeightStats& stats) { return stats.min; }},
    {"/weights/max", [](const WeightStats& stats) { return stats.max; }},
    {"/weights/max_abs", [](const WeightStats& stats) { return stats.max_abs; }},
};

struct Count {
  const char* path;
  std::int64_t WeightStats::*of;
};
constexpr Count counts[] = {
    {"/weights/zero_count", &WeightStats::zero_count},
    {"/weights/denormal_count", &WeightStats::denormal_count},
    {"/weights/nonfinite_count", &WeightStats::nonfinite_count},
};

constexpr double probabilities[] = {0.001, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 0.999};
constexpr std::size_t probability_count = std::size(probabilities);

template <class T>
void copy_to(std::vector<T>& values, std::size_t first, const std::vector<T>& from) {
  std::ranges::copy(from, values.begin() + static_cast<std::ptrdiff_t>(first));
}

}  // namespace

std::span<const double> recorded_probabilities() {
  return probabilities;
}

std::vector<std::int64_t> recorded_step_bins() {
  std::vector<std::int64_t> bins;
  for (std::size_t bin = 0; bin < step_bins; ++bin) bins.push_back(step_range(bin).nearest);
  return bins;
}

WeightRecorder::WeightRecorder(RunFile& run, std::size_t checkpoints, std::size_t weights)
    : run_(run),
      checkpoints_(checkpoints),
      weights_(weights),
      values_(std::size(statistics), std::vector<double>(checkpoints * weights)),
      counts_(std::size(counts), std::vector<std::int64_t>(checkpoints * weights)),
      magnitude_quantile_(checkpoints * weights * probability_count),
      inner_product_(weights * checkpoints * checkpoints),
      delta_inner_product_(weights * (checkpoints - 1) * (checkpoints - 1)),
      relative_drift_(inner_product_.size()),
      cosine_(inner_product_.size()),
      fraction_changed_((checkpoints - 1) * weights),
      of_roles_(checkpoints * role_count),
      with_sketches_(run.contains("/weights/sketch")) {}

std::uint64_t WeightRecorder::bytes(std::size_t checkpoints, std::size_t weights) {
  const std::uint64_t steps = checkpoints - 1;
  const std::uint64_t of_weight =
      checkpoints * (std::size(statistics) + std::size(counts) + probability_count) +
      3 * checkpoints * checkpoints + steps * steps + steps;
  const std::uint64_t of_batch =
      checkpoints * sketch_size * sizeof(double) + steps * step_bins * sizeof(double);
  return weights * of_weight * sizeof(double) + 2 * std::min(weights, batch_weights) * of_batch +
         checkpoints * role_count * bfloat16_patterns * sizeof(double);
}

void WeightRecorder::add(const WeightTrajectory& trajectory) {
  add_statistics(trajectory);
  add_pairs(trajectory);
  add_counts(trajectory);
  if (with_sketches_) sketches_.push_back(trajectory.sketches);
  steps_.push_back(trajectory.steps);
  ++added_;
  if (added_ - written_ == batch_weights) write_batch();
}

void WeightRecorder::add_statistics(const WeightTrajectory& trajectory) {
  for (std::size_t c = 0; c < checkpoints_; ++c) {
    const std::size_t place = c * weights_ + trajectory.index;
    for (std::size_t s = 0; s < values_.size(); ++s)
      values_[s][place] = statistics[s].of(trajectory.stats[c]);
    for (std::size_t s = 0; s < counts_.size(); ++s) counts_[s][place] = trajectory.stats[c].*counts[s].of;
  }
}

void WeightRecorder::add_pairs(const WeightTrajectory& trajectory) {
  const WeightInnerProducts& products = trajectory.products;
  const std::size_t pairs = products.inner_product.size(), deltas = products.delta_inner_product.size();
  copy_to(inner_product_, trajectory.index * pairs, products.inner_product);
  copy_to(delta_inner_product_, trajectory.index * deltas, products.delta_inner_product);
  const std::vector<double> drift = relative_drift(products), cosine = weight_cosine(products);
  for (std::size_t pair = 0; pair < pairs; ++pair) {
    relative_drift_[pair * weights_ + trajectory.index] = drift[pair];
    cosine_[pair * weights_ + trajectory.index] = cosine[pair];
  }
}

void WeightRecorder::add_counts(const WeightTrajectory& trajectory) {
  const std::size_t role = role_group_index(trajectory.weight->key.role);
  for (std::size_t c = 0; c < checkpoints_; ++c) {
    const Bfloat16Histogram& histogram = trajectory.histograms[c];
    copy_to(magnitude_quantile_, (c * weights_ + trajectory.index) * probability_count,
            magnitude_quantiles(histogram, probabilities));
    of_roles_[c * role_count + role].merge(histogram);
    of_roles_[c * role_count + whole_model].merge(histogram);
  }
  for (std::size_t step = 0; step + 1 < checkpoints_; ++step) {
    fraction_changed_[step * weights_ + trajectory.index] = fraction_changed(trajectory.steps[step]);
  }
}

/// The part of each dataset that belongs to the weights since the last batch, as one slab.
void WeightRecorder::write_batch() {
  const std::size_t batch = added_ - written_;
  if (with_sketches_) {
    std::vector<float> sketches;  // (C, batch, 1,024)
    for (std::size_t c = 0; c < checkpoints_; ++c) {
      for (const auto& of_weight : sketches_)
        std::ranges::copy(of_weight[c].values(), std::back_inserter(sketches));
    }
    run_.write<float>("/weights/sketch", {{0, written_, 0}, {checkpoints_, batch, sketch_size}}, sketches);
  }
  if (checkpoints_ > 1) {
    std::vector<std::int64_t> steps;  // (C-1, batch, bins)
    for (std::size_t step = 0; step + 1 < checkpoints_; ++step) {
      for (const auto& of_weight : steps_)
        std::ranges::copy(of_weight[step].counts, std::back_inserter(steps));
    }
    run_.write<std::int64_t>("/weights/step_histogram",
                             {{0, written_, 0}, {checkpoints_ - 1, batch, step_bins}}, steps);
  }
  sketches_.clear();
  steps_.clear();
  written_ = added_;
}

void WeightRecorder::finish() {
  if (added_ > written_) write_batch();
  for (std::size_t s = 0; s < values_.size(); ++s) run_.write<double>(statistics[s].path, values_[s]);
  for (std::size_t s = 0; s < counts_.size(); ++s) run_.write<std::int64_t>(counts[s].path, counts_[s]);
  run_.write<double>("/weights/magnitude_quantile", magnitude_quantile_);
  std::vector<std::int64_t> magnitudes;  // (C, roles, 32,768)
  for (const Bfloat16Histogram& histogram : of_roles_) {
    std::ranges::copy(magnitude_counts(histogram), std::back_inserter(magnitudes));
  }
  run_.write<std::int64_t>("/weights/magnitude_histogram", magnitudes);
  run_.write<double>("/weights/inner_product", inner_product_);
  run_.write<double>("/weights/relative_drift", relative_drift_);
  run_.write<double>("/weights/cosine", cosine_);
  if (checkpoints_ < 2) return;
  run_.write<double>("/weights/delta_inner_product", delta_inner_product_);
  run_.write<double>("/weights/fraction_changed", fraction_changed_);
}

}  // namespace moescope
