/// A program of somebody else's that uses the installed libraries. Of a run file it prints the most uneven
/// layer of every checkpoint and whose weights moved most in all; of the last checkpoint, how many parameters
/// a token activates.   Usage: example run.h5

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <span>
#include <string>
#include <vector>

#include "analysis/comparison/run_comparison.h"
#include "metrics/routing/expert_load.h"
#include "readers/checkpoint/checkpoint.h"
#include "readers/errors.h"
#include "readers/model/parameter_count.h"
#include "readers/run_file/run_file.h"

using namespace moescope;

void print_load(const RunFile& run, const std::vector<std::string>& names) {
  const std::string path = "/routing/expert_count";  // [checkpoint, domain, moe_layer, expert]
  const std::vector<std::uint64_t> shape = run.shape(path);
  const auto counts = run.read<std::int64_t>(path);
  const auto layers = run.read<std::int64_t>("/moe_layer");
  for (std::size_t c = 0; c < names.size(); ++c) {
    double worst = -1;
    std::int64_t where = -1;
    for (std::size_t row = c * shape[1] * shape[2]; row < (c + 1) * shape[1] * shape[2]; ++row) {
      const double violation = max_violation(std::span(counts).subspan(row * shape[3], shape[3]));
      if (violation > worst) where = layers[row % shape[2]];
      worst = std::max(worst, violation);
    }
    std::printf("%s: MaxVio %.3f in layer %ld\n", names[c].c_str(), worst, static_cast<long>(where));
  }
}

void print_change(const RunComparison& change) {
  const WeightChange& expert = change.experts.at(0);  // the most changed comes first
  std::printf("%s -> %s: weights %.1f %%, most of all expert %ld of layer %ld, %.1f %%\n",
              change.before.c_str(), change.after.c_str(), 100 * change.whole.at(0).relative_drift,
              static_cast<long>(expert.expert), static_cast<long>(expert.layer), 100 * expert.relative_drift);
}

int main(int argc, char** argv) try {
  if (argc != 2) return 2;
  const RunFile run = RunFile::open(argv[1]);
  const auto names = run.read<std::string>("/checkpoint");
  print_load(run, names);
  print_change(compare_in_run(run, names.front(), names.back()));
  const Checkpoint last = Checkpoint::open(run.read<std::string>("/checkpoint_info/path").back());
  const ParameterCount parameters = count_parameters(last.config());
  std::printf("%zu tensors, %.1f %% of the parameters active\n", last.tensors().size(),
              100.0 * static_cast<double>(parameters.active) / static_cast<double>(parameters.total));
} catch (const std::exception& error) {  // InputError: the file; std::system_error: reading it
  std::fprintf(stderr, "example: %s\n", error.what());
  return 3;
}
