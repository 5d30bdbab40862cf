/// benchmark_products [THREADS] [SECONDS]: which library should multiply an expert's tokens? Rates of the
/// gate projection of dots.llm1, (1408, 4096), for few and for many tokens; the weights of 24 experts in
/// turn, 277 MB of bfloat16, so that they come from memory. The others have float32 weights, twice as many
/// bytes; only oneDNN multiplies bfloat16, where the processor has AVX512_BF16.

#include <cstdio>
#include <cstdlib>

#include "tests/benchmarks/rival_products.h"

namespace moescope {
namespace {

void run(unsigned thread_count, double seconds) {
  ThreadPool threads(thread_count);
  std::printf("GFLOP/s with %u threads%s\n", threads.threads(),
              has_native_bfloat16() ? ", AVX512_BF16" : "; bf16 runs as float32 here");
  std::printf("%-12s %7s %10s %10s %10s %10s %10s %13s\n", "weights", "tokens", "ours bf16", "ours f32",
              "oneDNN", "OpenBLAS", "libxsmm", "Eigen, 1 thr.");
  const auto measure = [&](const char* name, ProductCase product) {
    std::printf("%-12s %7zu", name, product.tokens);
    const auto print = [](double rate, int width = 10) {
      std::printf(" %*.1f", width, rate / 1e9);
      std::fflush(stdout);
    };
    print(our_product_rate(threads, product, seconds));
    product.precision = Precision::f32;
    print(our_product_rate(threads, product, seconds));
    product.precision = Precision::bf16;
    print(onednn_product_rate(threads.threads(), product, seconds));
    print(openblas_product_rate(threads.threads(), product, seconds));
    print(libxsmm_product_rate(threads, product, seconds));
    print(eigen_product_rate(product, seconds), 13);
    std::printf("\n");
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
