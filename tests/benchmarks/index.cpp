/// benchmark_index [REPETITIONS]: how long it takes to open the complete dots.llm1, 24,231 tensors in 58
/// shards. Its tensors are holes; headers, index and the samples of the fingerprint are read and checked like
/// real ones.

#include <cstdio>
#include <cstdlib>
#include <vector>

#include "metrics/statistics.h"
#include "readers/checkpoint/checkpoint.h"
#include "readers/checkpoint/model_weights.h"
#include "tests/benchmarks/stopwatch.h"
#include "tests/support/full_width_checkpoint.h"
#include "tests/support/temporary_directory.h"

namespace moescope {
namespace {

/// Seconds of each repetition.
struct Times {
  std::vector<double> opening, roles, all, cpu;
};

// One untimed round warms the page cache.
Times measure(const std::filesystem::path& directory, int repetitions) {
  Times times;
  for (int i = -1; i < repetitions; ++i) {
    const Stopwatch watch;
    const Checkpoint checkpoint = Checkpoint::open(directory);
    const double opened = watch.seconds();
    const ModelWeights weights(checkpoint);
    const double all = watch.seconds(), cpu = watch.cpu_seconds();
    if (i < 0) {
      std::printf("%zu tensors in %zu shards\n", weights.all().size(), checkpoint.shards().size());
      continue;
    }
    times.opening.push_back(opened);
    times.roles.push_back(all - opened);
    times.all.push_back(all);
    times.cpu.push_back(cpu);
  }
  return times;
}

void print(const char* name, const std::vector<double>& seconds) {
  const auto [least, most] = std::minmax_element(seconds.begin(), seconds.end());
  std::printf("%-28s %8.1f %8.1f %8.1f\n", name, 1e3 * median(seconds), 1e3 * *least, 1e3 * *most);
}

void run(int repetitions) {
  const TemporaryDirectory directory;
  FullWidthOptions options;
  options.holes = Holes::all;
  write_full_width_checkpoint(directory.path(), options);
  const Times times = measure(directory.path(), repetitions);
  std::printf("%-28s %8s %8s %8s\n", "ms, warm cache", "median", "least", "most");
  print("config, index, headers", times.opening);
  print("roles of the tensors", times.roles);
  print("both", times.all);
  print("both, processor time", times.cpu);
}

}  // namespace
}  // namespace moescope

int main(int argc, char** argv) {
  const int repetitions = argc > 1 ? std::atoi(argv[1]) : 11;
  if (repetitions < 1) {
    std::fprintf(stderr, "benchmark_index [REPETITIONS]\n");
    return 2;
  }
  moescope::run(repetitions);
  return 0;
}
