/// benchmark_forward CHECKPOINT [f32|bf16] [THREADS] [REPETITIONS] [TOKENS...]: the rate of whole forward
/// passes, every output computed, beside the rates of one large matrix product (4,096 cubed), ours and
/// oneDNN's, in the same run. They alternate, so that a noisy machine disturbs all alike. The ratio is that
/// of the medians, to the better of the two products.

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "analysis/forward/forward.h"
#include "analysis/forward/forward_cost.h"
#include "metrics/statistics.h"
#include "tests/benchmarks/large_product.h"
#include "tests/benchmarks/stopwatch.h"

namespace moescope {
namespace {

constexpr std::size_t sequence_length = 2048;
constexpr double product_seconds = 3;  // each time

/// Takes everything a pass reports, and keeps nothing.
class Listener : public ForwardObserver {};

Corpus random_corpus(std::size_t tokens, std::int64_t vocabulary) {
  Corpus corpus;
  corpus.sequence_start.push_back(0);
  std::uint32_t state = 1;
  while (corpus.token_id.size() < tokens) {
    const std::size_t end = std::min(tokens, corpus.token_id.size() + sequence_length);
    while (corpus.token_id.size() < end) {
      state = state * 1664525 + 1013904223;  // Numerical Recipes, section 7.1
      corpus.token_id.push_back((state >> 8) % static_cast<std::uint32_t>(vocabulary));
    }
    corpus.sequence_start.push_back(end);
  }
  return corpus;
}

struct Options {
  Precision precision = Precision::bf16;
  unsigned threads = 0;
  int repetitions = 5;
  std::vector<std::size_t> tokens = {512, 2048, 16384};
};

struct Rates {
  std::vector<double> seconds, forward, ours, onednn, overlap;
};

void measure(const Checkpoint& checkpoint, const ModelWeights& weights, std::size_t tokens,
             const Options& options) {
  ThreadPool threads(options.threads);
  const Corpus corpus = random_corpus(tokens, checkpoint.config().vocab_size);
  const double flops = total_cost(forward_cost(checkpoint.config(), weights, corpus.sequence_start)).flops;
  ForwardOptions forward;
  forward.precision = options.precision;
  forward.memory = 8ull << 30;
  Listener listener;
  Rates rates;
  for (int i = 0; i < options.repetitions; ++i) {
    rates.ours.push_back(our_product_rate(threads, large_product(options.precision), product_seconds));
    rates.onednn.push_back(
        onednn_product_rate(threads.threads(), large_product(options.precision), product_seconds));
    const Stopwatch watch;
    const PartTimes times = total(run_forward(checkpoint, weights, corpus, forward, threads, listener));
    const double seconds = watch.seconds();
    rates.seconds.push_back(seconds);
    rates.forward.push_back(flops / seconds);
    rates.overlap.push_back(std::max(times.stream.read_seconds, times.compute_seconds()) / seconds);
  }
  const double ours = median(rates.ours), onednn = median(rates.onednn), pass = median(rates.forward);
  std::printf("%8zu %9.2f %10.1f %10.1f %10.1f %10.1f %9.2f %9.2f\n", tokens, median(rates.seconds),
              static_cast<double>(tokens) / median(rates.seconds), pass / 1e9, ours / 1e9, onednn / 1e9,
              pass / std::max(ours, onednn), median(rates.overlap));
  std::fflush(stdout);
}

Options parse(int argc, char** argv) {
  Options options;
  if (argc > 2 && std::string(argv[2]) == "f32") options.precision = Precision::f32;
  if (argc > 3) options.threads = static_cast<unsigned>(std::atoi(argv[3]));
  if (argc > 4) options.repetitions = std::max(1, std::atoi(argv[4]));
  if (argc > 5) options.tokens.clear();
  for (int i = 5; i < argc; ++i) options.tokens.push_back(std::strtoul(argv[i], nullptr, 10));
  return options;
}

void run(const char* path, const Options& options) {
  const Checkpoint checkpoint = Checkpoint::open(path);
  const ModelWeights weights(checkpoint);
  std::printf("%lld layers, %s, %u threads%s; medians of %d\n",
              static_cast<long long>(checkpoint.config().num_hidden_layers),
              options.precision == Precision::bf16 ? "bf16" : "f32", ThreadPool(options.threads).threads(),
              has_native_bfloat16() ? ", AVX512_BF16" : "", options.repetitions);
  std::printf("%8s %9s %10s %10s %10s %10s %9s %9s\n", "tokens", "seconds", "tokens/s", "GFLOP/s", "product",
              "oneDNN's", "ratio", "overlap");
  for (std::size_t tokens : options.tokens) measure(checkpoint, weights, tokens, options);
}

}  // namespace
}  // namespace moescope

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "benchmark_forward CHECKPOINT [f32|bf16] [THREADS] [REPETITIONS] [TOKENS...]\n");
    return 2;
  }
  try {
    moescope::run(argv[1], moescope::parse(argc, argv));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "benchmark_forward: %s\n", error.what());
    return 1;
  }
  return 0;
}
