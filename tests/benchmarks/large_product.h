#pragma once
/// Rates of matrix products, ours and others', on weights that come from memory: to hold a forward pass
/// against, and to choose by.

#include <cstddef>
#include <functional>
#include <vector>

#include "analysis/activations.h"
#include "analysis/parallel.h"

namespace moescope {

struct ProductCase {
  std::size_t rows = 0, columns = 0, tokens = 0;  // weights (rows, columns), activations (tokens, columns)
  std::size_t matrices = 1;  // used in turn; enough of them come from memory, not a cache
  Precision precision = Precision::bf16;

  double flops() const { return 2.0 * static_cast<double>(rows * columns * tokens); }
};

/// Operations a second, in the median of at least 3 products and about `seconds`.
double our_product_rate(ThreadPool& threads, const ProductCase& product, double seconds);
/// oneDNN's matmul, weights in place as they are stored: bf16 where the processor has AVX512_BF16 and the
/// precision is bf16, else float32 weights.
double onednn_product_rate(unsigned threads, const ProductCase& product, double seconds);
/// Eigen's product of float32 weights, on one thread.
double eigen_product_rate(const ProductCase& product, double seconds);

/// 4,096 cubed, the better of ours and oneDNN's.
double large_product_rate(ThreadPool& threads, Precision precision);

}  // namespace moescope
