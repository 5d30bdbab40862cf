/// benchmark_weight_sums [ROUNDS]: what the weight pass forms of bfloat16 weights in memory, by one thread
/// and in processor time, with each set of instructions in turn; beside the limits of this processor.

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "analysis/kernels/activations.h"
#include "analysis/kernels/matrix_product.h"
#include "analysis/weights/weight_trajectory.h"
#include "metrics/statistics.h"
#include "tests/benchmarks/stopwatch.h"
#include "tests/support/instruction_sets.h"

namespace moescope {
namespace {

constexpr std::size_t elements = std::size_t{4} << 20;  // of each checkpoint: not in a cache
constexpr std::size_t checkpoint_counts[] = {1, 2, 3, 4, 8, 13};

using Patterns = std::vector<std::uint16_t>;

std::uint16_t upper_half_of(float value) {
  return static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(value) >> 16);
}

/// Normal weights that move by some hundredths of themselves from one checkpoint to the next.
std::vector<Patterns> series_of(std::size_t checkpoints) {
  std::mt19937 random(1);
  std::normal_distribution<float> normal(0, 0.02f);
  std::vector<float> pool(1 << 16), values(elements);
  for (float& value : pool) value = normal(random);
  const auto any = [&] { return pool[random() % pool.size()]; };
  for (float& value : values) value = any();
  std::vector<Patterns> series;
  for (std::size_t c = 0; c < checkpoints; ++c) {
    for (float& value : values) value += 0.02f * any();
    series.emplace_back(elements);
    std::ranges::transform(values, series.back().begin(), upper_half_of);
  }
  return series;
}

template <class Work>
double cpu_seconds(Work work) {
  const Stopwatch watch;
  work();
  return watch.cpu_seconds();
}

/// To add one to a counter that a pattern chooses: the second-level cache has the patterns.
double seconds_of_increment(const Patterns& patterns) {
  constexpr std::size_t cached = std::size_t{1} << 16, repetitions = 200;
  std::vector<std::uint32_t> counters(bfloat16_patterns);
  std::vector<double> seconds;
  for (int round = 0; round < 5; ++round) {
    seconds.push_back(cpu_seconds([&] {
      for (std::size_t r = 0; r < repetitions; ++r) {
        for (std::size_t i = 0; i < cached; ++i) ++counters[patterns[i]];
      }
    }));
  }
  if (std::accumulate(counters.begin(), counters.end(), std::uint64_t{0}) != 5 * cached * repetitions)
    std::abort();
  return median(seconds) / (cached * repetitions);
}

/// Of one element, from memory.
double seconds_of_reading(const Patterns& patterns) {
  std::vector<double> seconds;
  std::uint64_t sum = 0;
  for (int round = 0; round < 5; ++round) {
    seconds.push_back(cpu_seconds([&] { sum += std::accumulate(patterns.begin(), patterns.end(), 0u); }));
  }
  if (sum == 0) std::abort();
  return median(seconds) / elements;
}

/// Of one multiply-add in double: of one in our own float32 product, twice, for half as many fill a register.
double seconds_of_multiply_add(ThreadPool& one) {
  constexpr std::size_t rows = 1408, columns = 4096, tokens = 512;
  const std::vector<float> weights(rows * columns, 0.5f);
  Matrix x(tokens, columns), y(tokens, rows);
  std::ranges::fill(x.values, 0.5f);
  const TokenPanels panels = pack_panels(one, x, Precision::f32);
  const ProductSink sink = store_rows(panels, y);
  std::vector<double> seconds;
  for (int round = 0; round < 5; ++round) {
    seconds.push_back(cpu_seconds([&] {
      multiply(one, {DType::f32, 0, rows, columns, std::as_bytes(std::span(weights))}, panels, sink);
    }));
  }
  return 2 * median(seconds) / static_cast<double>(rows * columns * tokens);
}

struct Limits {
  double increment, reading, multiply_add;  // seconds

  /// Of an element of all checkpoints; what is formed at the same time in different units of the processor.
  double counting(std::size_t checkpoints) const {
    return (static_cast<double>(checkpoints) + 0.5 * static_cast<double>(checkpoints - 1)) * increment;
  }
  double products(std::size_t checkpoints) const {
    return static_cast<double>(checkpoints * checkpoints) * multiply_add;
  }
  double all(std::size_t checkpoints) const {
    return std::max(
        {counting(checkpoints), products(checkpoints), reading * static_cast<double>(checkpoints)});
  }
};

void measure(const std::vector<Patterns>& series, ThreadPool& one, const Limits& limits, int rounds) {
  std::vector<StoredElements> stored;
  for (const Patterns& patterns : series) stored.push_back({DType::bf16, std::as_bytes(std::span(patterns))});
  WeightTrajectorySum sum(series.size(), one);
  const auto sets = instruction_sets();
  std::vector<std::vector<double>> seconds(sets.size());
  for (int round = 0; round < rounds; ++round) {
    for (std::size_t s = 0; s < sets.size(); ++s) {
      choose_instructions(sets[s]);
      sum.begin(1);
      seconds[s].push_back(cpu_seconds([&] { sum.add(stored, elements); }) / elements);
    }
  }
  choose_instructions(0);
  const double bytes = static_cast<double>(series.size() * sizeof(std::uint16_t));
  const auto rate = [&](double of_element) { return 1e-9 * bytes / of_element; };
  for (std::size_t s = 0; s < sets.size(); ++s) {
    const double of_element = median(seconds[s]);
    std::printf("%4zu  %-8s %8.2f ns %8.2f GB/s %8.2f of the limit\n", series.size(),
                hwy::TargetName(sets[s]), 1e9 * of_element, rate(of_element),
                limits.all(series.size()) / of_element);
  }
  std::printf("%4zu  limits: counting %.2f GB/s, products %.2f GB/s, reading %.2f GB/s\n", series.size(),
              rate(limits.counting(series.size())), rate(limits.products(series.size())),
              rate(limits.reading * static_cast<double>(series.size())));
}

void run(int rounds) {
  ThreadPool one(1);
  for (const std::size_t checkpoints : checkpoint_counts) {
    const auto series = series_of(checkpoints);
    const Limits limits{seconds_of_increment(series.front()), seconds_of_reading(series.front()),
                        seconds_of_multiply_add(one)};
    measure(series, one, limits, rounds);
  }
}

}  // namespace
}  // namespace moescope

int main(int argument_count, char** arguments) {
  const int rounds = argument_count > 1 ? std::atoi(arguments[1]) : 5;
  moescope::run(std::max(rounds, 1));
}
