/// benchmark_spectra [ROUNDS]: the singular values of single matrices, by one thread and in processor time,
/// with each set of instructions in turn; beside Eigen, compiled for any processor, and OpenBLAS, if the
/// build found it.

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include "metrics/spectra/singular_values.h"
#include "metrics/statistics.h"
#include "tests/benchmarks/rival_spectra.h"
#include "tests/benchmarks/stopwatch.h"
#include "tests/support/instruction_sets.h"
#include "tests/support/random_values.h"

namespace moescope {
namespace {

struct Shape {
  const char* what;
  std::size_t rows, columns;
  int repetitions;  // in a round
};
constexpr Shape shapes[] = {
    {"an expert of dots.llm1", 1408, 4096, 1},
    {"a router of dots.llm1", 128, 4096, 10},
    {"a matrix of the demo", 64, 128, 200},
};

struct Candidate {
  std::string name;
  std::int64_t instructions = 0;  // 0: the best
  std::function<std::vector<double>(const WeightMatrix&)> values;
};

std::vector<Candidate> candidates() {
  std::vector<Candidate> all;
  for (const std::int64_t set : instruction_sets())
    all.push_back({std::string("ours, ") + hwy::TargetName(set), set, singular_values});
  all.push_back({"Eigen", 0, eigen_singular_values});
#ifdef MOESCOPE_OPENBLAS
  all.push_back({"OpenBLAS", 0, openblas_singular_values});
#endif
  return all;
}

void measure(const Shape& shape, const std::vector<Candidate>& all, int rounds) {
  const std::vector<float> values = normal_values<float>(shape.rows * shape.columns, 1, 0.02f);
  const WeightMatrix matrix{values, shape.rows, shape.columns};
  std::vector<std::vector<double>> seconds(all.size()), found(all.size());
  for (int round = 0; round < rounds; ++round) {
    for (std::size_t i = 0; i < all.size(); ++i) {
      choose_instructions(all[i].instructions);
      const Stopwatch watch;
      for (int r = 0; r < shape.repetitions; ++r) found[i] = all[i].values(matrix);
      seconds[i].push_back(watch.cpu_seconds() / shape.repetitions);
    }
  }
  choose_instructions(0);
  std::printf("%zu x %zu, %s\n", shape.rows, shape.columns, shape.what);
  for (std::size_t i = 0; i < all.size(); ++i) {
    double farthest = 0;
    for (std::size_t k = 0; k < shape.rows; ++k)
      farthest = std::max(farthest, std::abs(found[i][k] - found[0][k]) / found[0][0]);
    std::printf("  %-14s %9.3f ms   values within %.1e of the first line's largest\n", all[i].name.c_str(),
                1e3 * median(seconds[i]), farthest);
  }
}

}  // namespace
}  // namespace moescope

int main(int argument_count, char** arguments) {
  const int rounds = argument_count > 1 ? std::atoi(arguments[1]) : 5;
  const auto all = moescope::candidates();
  for (const auto& shape : moescope::shapes) moescope::measure(shape, all, std::max(rounds, 1));
}
