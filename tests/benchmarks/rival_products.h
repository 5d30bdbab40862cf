#pragma once
/// Rates of products that other libraries make of float32 weights, twice the bytes of those that are stored.

#include "tests/benchmarks/large_product.h"

namespace moescope {

/// Eigen's, on one thread.
double eigen_product_rate(const ProductCase& product, double seconds);
/// OpenBLAS' sgemm.
double openblas_product_rate(unsigned threads, const ProductCase& product, double seconds);
/// Products of 32 rows by 256 columns by all tokens with a kernel that libxsmm compiled for them, shared out
/// among the threads: what it offers beyond small products, which is left to BLAS, is the kernel.
double libxsmm_product_rate(ThreadPool& threads, const ProductCase& product, double seconds);

}  // namespace moescope
