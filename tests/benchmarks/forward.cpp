/// benchmark_forward CHECKPOINT [f32|bf16] [THREADS] [REPETITIONS] [TOKENS...]: the rate of whole forward
/// passes, every output computed, beside the rates of one large matrix product (4,096 cubed), ours and
/// oneDNN's, in the same run. They alternate, so that a noisy machine disturbs all alike. The ratio is that
/// of the medians, to the better of the two products. Where weights are stored as F8_E4M3 with scales that
/// make them float32 numbers, the large product is one of float32, too. The peak is that of the process
/// during the passes; beside it stands what the budget reckons with for this model and so many tokens.

#include <malloc.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include "analysis/forward/forward.h"
#include "analysis/forward/forward_budget.h"
#include "analysis/forward/forward_cost.h"
#include "analysis/kernels/block_scales.h"
#include "analysis/machine/memory.h"
#include "metrics/statistics.h"
#include "tests/benchmarks/large_product.h"
#include "tests/benchmarks/stopwatch.h"

namespace moescope {
namespace {

constexpr std::size_t sequence_length = 2048;
constexpr double product_seconds = 3;  // each time
constexpr std::uint64_t memory = 8ull << 30;
constexpr double mebibyte = 1 << 20;

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

/// Whether a weight is multiplied as float32 whatever the precision.
bool needs_float32(const Checkpoint& checkpoint, const Weight& weight) {
  if (!weight.scales) return weight.dtype != DType::bf16;
  std::vector<std::byte> bytes(weight.scale_bytes());
  checkpoint.shards()[weight.scales->shard].read(weight.scales->offset, bytes);
  return !read_block_scales(*weight.scales, weight.rows, weight.cols, bytes).fit_bfloat16;
}

/// What most products of the model are computed in.
Precision product_precision(const Checkpoint& checkpoint, const ModelWeights& weights, Precision asked) {
  const std::int64_t layer = checkpoint.config().num_hidden_layers - 1;
  const Weight& typical = weights.at({Role::attention_output, layer});
  return needs_float32(checkpoint, typical) ? Precision::f32 : asked;
}

/// Makes the peak of this process what it uses now, without what the products have left behind.
void reset_peak() {
  malloc_trim(0);
  std::ofstream("/proc/self/clear_refs") << 5;
}

double peak_bytes() {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    double kibibytes = 0;
    if (word == "VmHWM:" && status >> kibibytes) return 1024 * kibibytes;
  }
  return 0;
}

double reckoned_bytes(const ModelConfig& config, std::size_t tokens) {
  const std::size_t longest = std::min(tokens, sequence_length);
  const MemoryBudget budget = divide_memory(config, memory, tokens, longest);
  return static_cast<double>(program_memory + budget.weight_bytes +
                             activation_bytes_per_token(config) * std::min(tokens, budget.batch_tokens));
}

struct Rates {
  std::vector<double> seconds, forward, ours, onednn, overlap;
  double peak = 0;
};

void print(std::size_t tokens, const Rates& rates, double reckoned) {
  const double ours = median(rates.ours), onednn = median(rates.onednn), pass = median(rates.forward);
  std::printf("%8zu %9.2f %10.1f %10.1f %10.1f %10.1f %9.2f %9.2f %9.0f %9.0f\n", tokens,
              median(rates.seconds), static_cast<double>(tokens) / median(rates.seconds), pass / 1e9,
              ours / 1e9, onednn / 1e9, pass / std::max(ours, onednn), median(rates.overlap),
              rates.peak / mebibyte, reckoned / mebibyte);
  std::fflush(stdout);
}

void measure(const Checkpoint& checkpoint, const ModelWeights& weights, std::size_t tokens,
             const Options& options) {
  ThreadPool threads(options.threads);
  const Corpus corpus = random_corpus(tokens, checkpoint.config().vocab_size);
  const double flops = total_cost(forward_cost(checkpoint.config(), weights, corpus.sequence_start)).flops;
  const ProductCase product = large_product(product_precision(checkpoint, weights, options.precision));
  ForwardOptions forward;
  forward.precision = options.precision;
  forward.memory = memory;
  Listener listener;
  Rates rates;
  for (int i = 0; i < options.repetitions; ++i) {
    rates.ours.push_back(our_product_rate(threads, product, product_seconds));
    rates.onednn.push_back(onednn_product_rate(threads.threads(), product, product_seconds));
    reset_peak();
    const Stopwatch watch;
    const PartTimes times = total(run_forward(checkpoint, weights, corpus, forward, threads, listener));
    const double seconds = watch.seconds();
    rates.peak = std::max(rates.peak, peak_bytes());
    rates.seconds.push_back(seconds);
    rates.forward.push_back(flops / seconds);
    rates.overlap.push_back(std::max(times.stream.read_seconds, times.compute_seconds()) / seconds);
  }
  print(tokens, rates, reckoned_bytes(checkpoint.config(), tokens));
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
  const auto name = [](Precision precision) { return precision == Precision::bf16 ? "bf16" : "f32"; };
  std::printf("%s, %lld layers, %s, product in %s, %u threads%s; medians of %d\n",
              checkpoint.config().model_type.c_str(),
              static_cast<long long>(checkpoint.config().num_hidden_layers), name(options.precision),
              name(product_precision(checkpoint, weights, options.precision)),
              ThreadPool(options.threads).threads(), has_native_bfloat16() ? ", AVX512_BF16" : "",
              options.repetitions);
  std::printf("%8s %9s %10s %10s %10s %10s %9s %9s %9s %9s\n", "tokens", "seconds", "tokens/s", "GFLOP/s",
              "product", "oneDNN's", "ratio", "overlap", "peak MiB", "reckoned");
  for (std::size_t tokens : options.tokens) measure(checkpoint, weights, tokens, options);
}

}  // namespace
}  // namespace moescope

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "benchmark_forward CHECKPOINT [f32|bf16] [THREADS] [REPETITIONS] [TOKENS...]\n");
    return 2;
  }
  mallopt(M_MMAP_THRESHOLD, 8 << 20);  // as the program itself has it
  mallopt(M_TRIM_THRESHOLD, 32 << 20);
  try {
    moescope::run(argv[1], moescope::parse(argc, argv));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "benchmark_forward: %s\n", error.what());
    return 1;
  }
  return 0;
}
