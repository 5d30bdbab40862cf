/// benchmark_products [THREADS] [SECONDS]: which library should multiply an expert's tokens? Rates of the
/// gate projection of dots.llm1, (1408, 4096), for few and for many tokens; the weights of 24 experts in
/// turn, 277 MB of bfloat16, so that they come from memory. oneDNN and Eigen have float32 weights, twice as
/// many bytes, where they cannot multiply bfloat16.

#include <cstdio>
#include <cstdlib>

#include "tests/benchmarks/large_product.h"

namespace moescope {
namespace {

void print_row(const char* name, std::size_t tokens, double ours, double ours_f32, double onednn,
               double eigen) {
  std::printf("%-12s %7zu %10.1f %10.1f %10.1f %12.1f\n", name, tokens, ours / 1e9, ours_f32 / 1e9,
              onednn / 1e9, eigen / 1e9);
  std::fflush(stdout);
}

void run(unsigned thread_count, double seconds) {
  ThreadPool threads(thread_count);
  std::printf("GFLOP/s with %u threads%s\n", threads.threads(),
              has_native_bfloat16() ? ", AVX512_BF16" : "; bf16 runs as float32 here");
  std::printf("%-12s %7s %10s %10s %10s %12s\n", "weights", "tokens", "ours bf16", "ours f32", "oneDNN",
              "Eigen, 1 thr.");
  const auto measure = [&](const char* name, ProductCase product) {
    const double bf16 = our_product_rate(threads, product, seconds);
    product.precision = Precision::f32;
    const double f32 = our_product_rate(threads, product, seconds);
    product.precision = Precision::bf16;
    print_row(name, product.tokens, bf16, f32, onednn_product_rate(threads.threads(), product, seconds),
              eigen_product_rate(product, seconds));
  };
  for (std::size_t tokens : {8, 16, 24, 32, 64, 96, 128, 192, 512})
    measure("1408 x 4096", {1408, 4096, tokens, 24});
  measure("4096 x 4096", {4096, 4096, 4096, 1});
}

}  // namespace
}  // namespace moescope

int main(int argc, char** argv) {
  const int threads = argc > 1 ? std::atoi(argv[1]) : 0;
  const double seconds = argc > 2 ? std::atof(argv[2]) : 1.0;
  moescope::run(static_cast<unsigned>(threads), seconds);
  return 0;
}
