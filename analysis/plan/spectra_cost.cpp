#include "analysis/plan/spectra_cost.h"

#include <algorithm>
#include <vector>

#include "analysis/machine/clock.h"
#include "analysis/weights/weight_spectra.h"
#include "metrics/spectra/singular_values.h"

namespace moescope {
namespace {

double gram_multiplications(double n, double m) {
  return n * n * m / 2 + 4.0 / 3 * n * n * n;
}

/// Of one matrix through the series.
double matrix_flops(const Weight& weight, std::uint64_t checkpoints) {
  const auto n = static_cast<double>(std::min(weight.rows, weight.cols));
  const auto m = static_cast<double>(std::max(weight.rows, weight.cols));
  const auto versions = static_cast<double>(checkpoints), steps = versions - 1;
  const double gram = gram_multiplications(n, m);
  if (n > direct_decomposition_limit) return 2 * (versions + steps) * gram;
  return 2 * ((versions + steps) * 3 * n * n * m + (checkpoints > 1 ? versions * gram : 0));
}

std::uint64_t decompositions(const Weight& weight, std::uint64_t checkpoints) {
  const bool twice = std::min(weight.rows, weight.cols) <= direct_decomposition_limit && checkpoints > 1;
  return (twice ? 3 : 2) * checkpoints - 1;
}

}  // namespace

SpectraCost spectra_cost(std::span<const Weight> weights, SpectraChoice choice, std::uint64_t checkpoints) {
  SpectraCost cost;
  for (const std::size_t index : choose_spectra(weights, choice)) {
    const Weight& weight = weights[index];
    const double flops = matrix_flops(weight, checkpoints);
    ++cost.matrices;
    cost.bytes += weight.bytes() * checkpoints;
    cost.decompositions += decompositions(weight, checkpoints);
    cost.flops += flops;
    cost.largest_flops = std::max(cost.largest_flops, flops);
    cost.largest_memory = std::max(cost.largest_memory, spectra_memory(weight));
  }
  return cost;
}

double measure_spectra_rate(ThreadPool& threads) {
  constexpr std::size_t rows = 384, columns = 1024, rounds = 3;
  std::vector<float> values(rows * columns);
  std::uint32_t state = 1;
  for (float& value : values) {  // no special structure; what it is does not matter
    state = state * 1664525u + 1013904223u;
    value = static_cast<float>(state >> 8) / 16777216.0f - 0.5f;
  }
  const Clock::time_point start = Clock::now();
  threads.for_each(rounds * threads.threads(), [&](std::size_t, unsigned) {
    singular_values({values, rows, columns});
  });
  const double operations = 2 * gram_multiplications(rows, columns) * rounds * threads.threads();
  return operations / std::max(seconds_since(start), 1e-9);
}

double spectra_seconds(const SpectraCost& cost, double flops_per_second, unsigned threads) {
  const double of_one = flops_per_second / threads;
  return std::max(cost.flops / flops_per_second, cost.largest_flops / of_one) +
         static_cast<double>(cost.decompositions) * seconds_per_decomposition / threads;
}

}  // namespace moescope
