#include "tests/benchmarks/rival_products.h"

#include <cblas.h>
#include <libxsmm.h>

#include <Eigen/Core>
#include <algorithm>
#include <stdexcept>

namespace moescope {

double eigen_product_rate(const ProductCase& product, double seconds) {
  using Weights = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  const std::size_t size = product.rows * product.columns;
  const std::vector<float> weights = float_values(product.matrices * size);
  const auto rows = static_cast<Eigen::Index>(product.rows),
             columns = static_cast<Eigen::Index>(product.columns),
             tokens = static_cast<Eigen::Index>(product.tokens);
  const Eigen::MatrixXf x = Eigen::MatrixXf::Constant(columns, tokens, 0.01f);  // a column is a token
  Eigen::MatrixXf y(rows, tokens);
  return product_rate(product, seconds, [&](std::size_t matrix) {
    y.noalias() = Eigen::Map<const Weights>(weights.data() + matrix * size, rows, columns) * x;
  });
}

double openblas_product_rate(unsigned threads, const ProductCase& product, double seconds) {
  openblas_set_num_threads(static_cast<int>(threads));
  const std::size_t size = product.rows * product.columns;
  const std::vector<float> weights = float_values(product.matrices * size),
                           x = float_values(product.tokens * product.columns);
  std::vector<float> y(product.tokens * product.rows);
  const auto rows = static_cast<int>(product.rows), columns = static_cast<int>(product.columns),
             tokens = static_cast<int>(product.tokens);
  return product_rate(product, seconds, [&](std::size_t matrix) {
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, tokens, rows, columns, 1.0f, x.data(), columns,
                weights.data() + matrix * size, columns, 0.0f, y.data(), rows);
  });
}

double libxsmm_product_rate(ThreadPool& threads, const ProductCase& product, double seconds) {
  constexpr std::size_t block_rows = 32, block_columns = 256;  // divide all cases
  const std::size_t size = product.rows * product.columns;
  const std::vector<float> weights = float_values(product.matrices * size),
                           x = float_values(product.columns * product.tokens);  // a row is a feature
  std::vector<float> y(product.rows * product.tokens);
  const auto tokens = static_cast<libxsmm_blasint>(product.tokens),
             columns = static_cast<libxsmm_blasint>(product.columns);
  const libxsmm_smmfunction multiply =
      libxsmm_smmdispatch(tokens, block_rows, block_columns, &tokens, &columns, &tokens, nullptr, nullptr,
                          nullptr, nullptr);  // adds to y
  if (multiply == nullptr) throw std::runtime_error("libxsmm compiles no such product");
  return product_rate(product, seconds, [&](std::size_t matrix) {
    threads.for_each(product.rows / block_rows, [&](std::size_t block, unsigned) {
      const std::size_t row = block * block_rows;
      float* const out = y.data() + row * product.tokens;
      std::fill_n(out, block_rows * product.tokens, 0.0f);
      for (std::size_t column = 0; column < product.columns; column += block_columns) {
        multiply(x.data() + column * product.tokens,
                 weights.data() + matrix * size + row * product.columns + column, out);
      }
    });
  });
}

}  // namespace moescope
