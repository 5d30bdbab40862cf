#pragma once
/// Rates of matrix products, ours and others', on weights that come from memory: to hold a forward pass
/// against, and to choose by.

#include <cstddef>
#include <functional>
#include <vector>

#include "analysis/kernels/activations.h"
#include "analysis/machine/parallel.h"

namespace moescope {

struct ProductCase {
  std::size_t rows = 0, columns = 0, tokens = 0;  // weights (rows, columns), activations (tokens, columns)
  std::size_t matrices = 1;  // used in turn; enough of them come from memory, not a cache
  Precision precision = Precision::bf16;

  double flops() const { return 2.0 * static_cast<double>(rows * columns * tokens); }
};

/// Operations a second of `multiply(matrix)`, called for one matrix after the other: the median of at least 3
/// products and about `seconds`.
double product_rate(const ProductCase& product, double seconds,
                    const std::function<void(std::size_t)>& multiply);
/// Small numbers of varying size.
std::vector<float> float_values(std::size_t count);

double our_product_rate(ThreadPool& threads, const ProductCase& product, double seconds);
/// oneDNN's matmul, weights in place as they are stored: bf16 where the processor has AVX512_BF16 and the
/// precision is bf16, else float32 weights.
double onednn_product_rate(unsigned threads, const ProductCase& product, double seconds);

/// 4,096 cubed: what the rates of whole passes are held against.
inline ProductCase large_product(Precision precision) {
  return {4096, 4096, 4096, 1, precision};
}

}  // namespace moescope
