#include <cblas.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "tests/benchmarks/rival_spectra.h"

extern "C" {
void dsytrd_(const char* triangle, const int* n, double* matrix, const int* stride, double* diagonal,
             double* subdiagonal, double* factors, double* work, const int* work_size, int* info);
void dsterf_(const int* n, double* diagonal, double* subdiagonal, int* info);
void dgesdd_(const char* vectors, const int* rows, const int* columns, double* matrix, const int* stride,
             double* values, double* left, const int* left_stride, double* right, const int* right_stride,
             double* work, const int* work_size, int* integers, int* info);
}

namespace moescope {
namespace {

std::vector<double> of_gram(const WeightMatrix& matrix) {
  const int n = static_cast<int>(matrix.rows);
  std::vector<double> gram(matrix.rows * matrix.rows), panel;
  for (std::size_t start = 0; start < matrix.columns; start += 256) {
    const std::size_t width = std::min<std::size_t>(256, matrix.columns - start);
    panel.clear();
    for (std::size_t row = 0; row < matrix.rows; ++row) {
      const auto part = matrix.values.subspan(row * matrix.columns + start, width);
      panel.insert(panel.end(), part.begin(), part.end());
    }
    cblas_dsyrk(CblasRowMajor, CblasUpper, CblasNoTrans, n, static_cast<int>(width), 1, panel.data(),
                static_cast<int>(width), 1, gram.data(), n);
  }
  std::vector<double> diagonal(matrix.rows), subdiagonal(matrix.rows), factors(matrix.rows),
      work(matrix.rows * 64);
  const int work_size = static_cast<int>(work.size());
  int info = 0;
  dsytrd_("L", &n, gram.data(), &n, diagonal.data(), subdiagonal.data(), factors.data(), work.data(),
          &work_size, &info);
  if (info == 0) dsterf_(&n, diagonal.data(), subdiagonal.data(), &info);
  if (info != 0) std::abort();
  std::ranges::reverse(diagonal);
  for (double& value : diagonal) value = std::sqrt(std::max(value, 0.0));
  return diagonal;
}

std::vector<double> direct(const WeightMatrix& matrix) {
  const int n = static_cast<int>(matrix.rows), m = static_cast<int>(matrix.columns), one = 1;
  std::vector<double> tall(matrix.values.begin(), matrix.values.end()), values(matrix.rows),
      work(matrix.rows * 128 + matrix.columns);
  std::vector<int> integers(8 * matrix.rows);
  const int work_size = static_cast<int>(work.size());
  double none = 0;
  int info = 0;
  dgesdd_("N", &m, &n, tall.data(), &m, values.data(), &none, &one, &none, &one, work.data(), &work_size,
          integers.data(), &info);
  if (info != 0) std::abort();
  return values;
}

}  // namespace

std::vector<double> openblas_singular_values(const WeightMatrix& matrix) {
  openblas_set_num_threads(1);
  return matrix.rows > direct_decomposition_limit ? of_gram(matrix) : direct(matrix);
}

}  // namespace moescope
