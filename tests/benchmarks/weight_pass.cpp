/// benchmark_weight_pass [--threads N] [--memory MIB] [--rounds N] DIRECTORY...: the weight pass over
/// checkpoints of one model, against the rate at which this machine reads memory and cat these files. The
/// files are dropped from the page cache and read again and again.

#include <bit>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <numeric>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "analysis/machine/memory.h"
#include "analysis/plan/machine_speed.h"
#include "analysis/weights/weight_pass.h"
#include "metrics/statistics.h"
#include "metrics/weights/bfloat16_histogram.h"
#include "readers/checkpoint/checkpoint.h"
#include "readers/checkpoint/model_weights.h"
#include "tests/analysis/weights/all_weights.h"
#include "tests/benchmarks/stopwatch.h"

namespace moescope {
namespace {

constexpr int memory_rounds = 5;

/// Bytes a second at which all threads together sum up a gibibyte in memory: the median of five.
double memory_rate(ThreadPool& pool) {
  constexpr std::size_t words = (std::size_t{1} << 30) / sizeof(std::uint64_t), part = words / 256;
  std::vector<std::uint64_t> memory(words, 1), sums(256);
  std::vector<double> seconds;
  for (int round = 0; round < memory_rounds; ++round) {
    const Stopwatch watch;
    pool.for_each(sums.size(), [&](std::size_t i, unsigned) {
      const auto first = memory.begin() + static_cast<std::ptrdiff_t>(i * part);
      sums[i] = std::accumulate(first, first + part, std::uint64_t{0});
    });
    seconds.push_back(watch.seconds());
  }
  if (std::accumulate(sums.begin(), sums.end(), std::uint64_t{0}) != words) std::abort();
  return static_cast<double>(words * sizeof(std::uint64_t)) / median(seconds);
}

/// Bytes a second that all threads together count, from the second-level cache, in the exact histogram: what
/// no pass that gives every quantile exactly can surpass.
double histogram_rate(ThreadPool& pool) {
  constexpr std::size_t elements = 1 << 16, repetitions = 2000;
  std::mt19937 random(1);
  std::normal_distribution<float> normal(0, 0.02f);
  std::vector<std::uint16_t> weights(elements);
  for (std::uint16_t& weight : weights)
    weight = static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(normal(random)) >> 16);
  std::vector<Bfloat16Histogram> histograms(pool.threads());
  const Stopwatch watch;
  pool.for_each(repetitions, [&](std::size_t, unsigned worker) { histograms[worker].add(weights); });
  return repetitions * elements * sizeof(std::uint16_t) / watch.seconds();
}

class Series {
 public:
  explicit Series(const std::vector<std::string>& directories) {
    for (const std::string& directory : directories) {
      checkpoints_.push_back(Checkpoint::open(directory));
      weights_.emplace_back(checkpoints_.back());
      bytes_ += checkpoints_.back().bytes();
    }
    for (std::size_t c = 0; c < weights_.size(); ++c) views_.push_back({&checkpoints_[c], &weights_[c]});
  }

  const std::vector<CheckpointWeights>& views() const { return views_; }
  double bytes() const { return static_cast<double>(bytes_); }

  void drop_from_cache() const {
    for (const Checkpoint& checkpoint : checkpoints_) {
      for (const SourceFile& shard : checkpoint.shards()) shard.forget(0, shard.size());
    }
  }

  /// How long cat takes for all files.
  double cat_seconds() const {
    std::string command = "cat";
    for (const Checkpoint& checkpoint : checkpoints_) {
      for (const SourceFile& shard : checkpoint.shards()) command += " '" + shard.name() + "'";
    }
    const Stopwatch watch;
    if (std::system((command + " > /dev/null").c_str()) != 0) throw std::runtime_error("cat failed");
    return watch.seconds();
  }

 private:
  std::deque<Checkpoint> checkpoints_;
  std::deque<ModelWeights> weights_;
  std::vector<CheckpointWeights> views_;
  std::uint64_t bytes_ = 0;
};

void print(const char* name, double bytes, double seconds, double limit) {
  std::printf("%-44s %8.2f s %8.2f GB/s %6.2f\n", name, seconds, 1e-9 * bytes / seconds,
              bytes / seconds / limit);
}

double pass_seconds(const Series& series, ThreadPool& pool, std::uint64_t memory) {
  const Stopwatch watch;
  trace_weights(series.views(), all_weights(series.views()), pool, {memory}, [](const WeightTrajectory&) {});
  return watch.seconds();
}

void run(const std::vector<std::string>& directories, unsigned threads, std::uint64_t memory, int rounds) {
  ThreadPool pool(threads);
  const Series series(directories);
  const double of_memory = memory_rate(pool);
  std::printf("%zu checkpoints, %.1f GB, %u threads; memory is read at %.1f GB/s\n", directories.size(),
              1e-9 * series.bytes(), pool.threads(), 1e-9 * of_memory);
  const double rate = 2 * measure_weight_pass_rate(pool, directories.size(), DType::bf16);
  std::printf("%-44s %10s %8.2f GB/s %6.2f of memory\n", "the sums alone, bf16", "", 1e-9 * rate,
              rate / of_memory);
  const double of_histogram = histogram_rate(pool);
  std::printf("%-44s %10s %8.2f GB/s %6.2f of memory\n", "the exact histogram alone, bf16", "",
              1e-9 * of_histogram, of_histogram / of_memory);
  std::vector<double> cat, cold, warm;
  for (int round = 0; round < rounds; ++round) {
    series.drop_from_cache();
    cat.push_back(series.cat_seconds());
    if (!outgrows_page_cache(static_cast<std::uint64_t>(series.bytes()))) {
      warm.push_back(pass_seconds(series, pool, memory));
    }
    series.drop_from_cache();
    cold.push_back(pass_seconds(series, pool, memory));
  }
  const double of_disk = series.bytes() / median(cat);
  print("cat, cold", series.bytes(), median(cat), of_disk);
  print("weight pass, cold; ratio to cat", series.bytes(), median(cold), of_disk);
  if (!warm.empty()) print("weight pass, warm; ratio to memory", series.bytes(), median(warm), of_memory);
}

}  // namespace
}  // namespace moescope

int main(int argument_count, char** arguments) {
  std::vector<std::string> directories;
  unsigned threads = 0;
  std::uint64_t memory = std::uint64_t{2} << 30;
  int rounds = 5;
  for (int i = 1; i < argument_count; ++i) {
    const bool has_value = i + 1 < argument_count;
    if (has_value && std::strcmp(arguments[i], "--threads") == 0) {
      threads = static_cast<unsigned>(std::atoi(arguments[++i]));
    } else if (has_value && std::strcmp(arguments[i], "--memory") == 0) {
      memory = static_cast<std::uint64_t>(std::atoll(arguments[++i])) << 20;
    } else if (has_value && std::strcmp(arguments[i], "--rounds") == 0) {
      rounds = std::atoi(arguments[++i]);
    } else {
      directories.emplace_back(arguments[i]);
    }
  }
  if (directories.empty()) {
    std::fprintf(stderr,
                 "Usage: benchmark_weight_pass [--threads N] [--memory MIB] [--rounds N] DIRECTORY...\n");
    return 2;
  }
  try {
    moescope::run(directories, threads, memory, rounds);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "benchmark_weight_pass: %s\n", error.what());
    return 1;
  }
}
