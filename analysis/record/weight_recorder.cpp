#include "analysis/record/weight_recorder.h"

#include <algorithm>
#include <cmath>
#include <iterator>

#include "analysis/record/recorded_roles.h"
#include "metrics/weights/weight_drift.h"
#include "readers/schema/datasets.h"

namespace moescope {
namespace {

/// Weights that are written together.
constexpr std::size_t batch_weights = 512;

double root_mean_square(const WeightStats& stats) {
  return stats.norm / std::sqrt(static_cast<double>(stats.element_count - stats.nonfinite_count));
}

struct Statistic {
  Dataset<double> dataset;
  double (*of)(const WeightStats&);
};
constexpr Statistic statistics[] = {
    {dataset::weights_norm, [](const WeightStats& stats) { return stats.norm; }},
    {dataset::weights_rms, root_mean_square},
    {dataset::weights_mean, [](const WeightStats& stats) { return stats.mean; }},
    {dataset::weights_std, [](const WeightStats& stats) { return stats.standard_deviation; }},
    {dataset::weights_kurtosis, [](const WeightStats& stats) { return stats.kurtosis; }},
    {dataset::weights_min, [](const WeightStats& stats) { return stats.min; }},
    {dataset::weights_max, [](const WeightStats& stats) { return stats.max; }},
    {dataset::weights_max_abs, [](const WeightStats& stats) { return stats.max_abs; }},
};

struct Count {
  Dataset<std::int64_t> dataset;
  std::int64_t WeightStats::*of;
};
constexpr Count counts[] = {
    {dataset::weights_zero_count, &WeightStats::zero_count},
    {dataset::weights_denormal_count, &WeightStats::denormal_count},
    {dataset::weights_nonfinite_count, &WeightStats::nonfinite_count},
};

constexpr double probabilities[] = {0.001, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 0.999};
constexpr std::size_t probability_count = std::size(probabilities);

}  // namespace

std::span<const double> recorded_probabilities() {
  return probabilities;
}

std::vector<std::int64_t> recorded_step_bins() {
  std::vector<std::int64_t> bins;
  for (std::size_t bin = 0; bin < step_bins; ++bin) bins.push_back(step_range(bin).nearest);
  return bins;
}

WeightRecorder::WeightRecorder(RunFile& run, std::size_t checkpoints, std::vector<std::int64_t> counted)
    : run_(run),
      checkpoints_(checkpoints),
      with_sketches_(run.contains(dataset::weights_sketch)),
      magnitude_counts_(std::move(counted)) {
  magnitude_counts_.resize(magnitude_count_size(checkpoints));
}

std::size_t WeightRecorder::magnitude_count_size(std::size_t checkpoints) {
  return checkpoints * role_count * bfloat16_magnitudes;
}

std::uint64_t WeightRecorder::bytes(std::size_t checkpoints, std::size_t weights) {
  const std::uint64_t steps = checkpoints - 1;
  const std::uint64_t of_weight =
      checkpoints * (sizeof(WeightStats) + (probability_count + sketch_size) * sizeof(double)) +
      (3 * checkpoints * checkpoints + steps * steps) * sizeof(double) + steps * sizeof(Bfloat16Steps);
  return 2 * std::min(weights, batch_weights) * of_weight +
         2 * checkpoints * role_count * bfloat16_magnitudes * sizeof(std::int64_t);
}

void WeightRecorder::add(const WeightTrajectory& trajectory) {
  if (rows_.empty()) first_ = trajectory.index;
  Row row{trajectory.stats,
          {},
          trajectory.products,
          relative_drift(trajectory.products),
          weight_cosine(trajectory.products),
          trajectory.steps,
          {}};
  if (with_sketches_) row.sketches = trajectory.sketches;
  count_magnitudes(trajectory, row);
  rows_.push_back(std::move(row));
  if (rows_.size() == batch_weights) write();
}

void WeightRecorder::count_magnitudes(const WeightTrajectory& trajectory, Row& row) {
  const std::size_t role = role_group_index(trajectory.weight->key.role);
  for (std::size_t c = 0; c < checkpoints_; ++c) {
    const Bfloat16Histogram& histogram = trajectory.histograms[c];
    const std::vector<double> quantiles = magnitude_quantiles(histogram, probabilities);
    row.quantiles.insert(row.quantiles.end(), quantiles.begin(), quantiles.end());
    add_magnitude_counts(histogram, {counts_of(c, role), bfloat16_magnitudes});
  }
}

std::int64_t* WeightRecorder::counts_of(std::size_t checkpoint, std::size_t role) {
  return &magnitude_counts_[(checkpoint * role_count + role) * bfloat16_magnitudes];
}

void WeightRecorder::add_totals() {
  for (std::size_t c = 0; c < checkpoints_; ++c) {
    for (std::size_t group = 0; group < std::size(all_role_groups); ++group) {
      const std::int64_t* of_group = counts_of(c, group);
      for (const std::size_t total : totals_of(all_role_groups[group])) {
        std::int64_t* sums = counts_of(c, total);
        for (std::size_t m = 0; m < bfloat16_magnitudes; ++m) sums[m] += of_group[m];
      }
    }
  }
}

/// The rows' part of a dataset (leading, W, inner): `append(row, i, values)` adds the values of one row at
/// leading index i.
template <class T, class AppendValue>
void WeightRecorder::write_rows(Dataset<T> dataset, std::size_t leading, std::size_t inner,
                                AppendValue append) {
  std::vector<T> values;
  values.reserve(leading * rows_.size() * inner);
  for (std::size_t i = 0; i < leading; ++i) {
    for (const Row& row : rows_) append(row, i, values);
  }
  Slab slab{{0, first_}, {leading, rows_.size()}};
  if (run_.shape(dataset).size() > 2) {
    slab.start.push_back(0);
    slab.count.push_back(inner);
  }
  run_.write(dataset, slab, values);
}

void WeightRecorder::write_checkpoints() {
  for (const Statistic& statistic : statistics) {
    write_rows(statistic.dataset, checkpoints_, 1, [&](const Row& row, std::size_t c, auto& values) {
      values.push_back(statistic.of(row.stats[c]));
    });
  }
  for (const Count& count : counts) {
    write_rows(count.dataset, checkpoints_, 1, [&](const Row& row, std::size_t c, auto& values) {
      values.push_back(row.stats[c].*count.of);
    });
  }
  write_rows(dataset::weights_magnitude_quantile, checkpoints_, probability_count,
             [](const Row& row, std::size_t c, auto& values) {
               const auto first = row.quantiles.begin() + static_cast<std::ptrdiff_t>(c * probability_count);
               values.insert(values.end(), first, first + probability_count);
             });
  if (!with_sketches_) return;
  write_rows(dataset::weights_sketch, checkpoints_, sketch_size,
             [](const Row& row, std::size_t c, auto& values) {
               std::ranges::copy(row.sketches[c].values(), std::back_inserter(values));
             });
}

/// (C, C, W) and (W, C, C): the first as if its two axes were one.
void WeightRecorder::write_pairs() {
  const std::size_t count = rows_.size(), steps = checkpoints_ - 1;
  std::vector<double> drift, cosine, products, deltas;
  for (std::size_t pair = 0; pair < checkpoints_ * checkpoints_; ++pair) {
    for (const Row& row : rows_) {
      drift.push_back(row.drift[pair]);
      cosine.push_back(row.cosine[pair]);
    }
  }
  for (const Row& row : rows_) {
    std::ranges::copy(row.products.inner_product, std::back_inserter(products));
    std::ranges::copy(row.products.delta_inner_product, std::back_inserter(deltas));
  }
  const Slab pairs{{0, 0, first_}, {checkpoints_, checkpoints_, count}};
  run_.write(dataset::weights_relative_drift, pairs, drift);
  run_.write(dataset::weights_cosine, pairs, cosine);
  run_.write(dataset::weights_inner_product, {{first_, 0, 0}, {count, checkpoints_, checkpoints_}}, products);
  if (steps > 0)
    run_.write(dataset::weights_delta_inner_product, {{first_, 0, 0}, {count, steps, steps}}, deltas);
}

void WeightRecorder::write_steps() {
  if (checkpoints_ < 2) return;
  write_rows(dataset::weights_fraction_changed, checkpoints_ - 1, 1,
             [](const Row& row, std::size_t step, auto& values) {
               values.push_back(fraction_changed(row.steps[step]));
             });
  write_rows(dataset::weights_step_histogram, checkpoints_ - 1, step_bins,
             [](const Row& row, std::size_t step, auto& values) {
               std::ranges::copy(row.steps[step].counts, std::back_inserter(values));
             });
}

void WeightRecorder::write() {
  if (rows_.empty()) return;
  write_checkpoints();
  write_pairs();
  write_steps();
  rows_.clear();
}

void WeightRecorder::finish() {
  write();
  add_totals();
  run_.write(dataset::weights_magnitude_histogram, magnitude_counts_);
}

}  // namespace moescope
