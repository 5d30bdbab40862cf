#pragma once
/// The hot loops of spectra, compiled for several sets of instructions; the best one that the processor has
/// is chosen when they run. Internal to this folder.
///
/// Symmetric matrices are column-major, element (i, j) at [j * stride + i], and only their lower triangle
/// counts: what lies above the diagonal is neither read nor written. Sums run in double in an order that
/// depends on the shapes and the set of instructions alone. All functions are thread-safe and start no
/// threads.

#include <cstddef>
#include <vector>

namespace moescope {

/// Where the elements of a matrix lie: (i, k) at values[i * row_stride + k * column_stride].
template <class Element>
struct StridedMatrix {
  const Element* values = nullptr;
  std::size_t rows = 0, columns = 0;
  std::size_t row_stride = 0, column_stride = 0;
};

/// gram += X Xᵀ; gram (x.rows, x.rows) without gaps. Takes 256 doubles of memory a row.
void add_row_products(const StridedMatrix<float>& x, double* gram);

/// matrix -= V Wᵀ + W Vᵀ; V and W of one shape (n, k), matrix (n, n). Takes 4 k doubles of memory a row.
void subtract_symmetric_products(const StridedMatrix<double>& v, const StridedMatrix<double>& w,
                                 double* matrix, std::size_t stride);

/// y = A x; A (size, size), x and y (size).
void multiply_symmetric(const double* matrix, std::size_t size, std::size_t stride, const double* x,
                        double* y);

/// A symmetric tridiagonal matrix T of size n with entries of order 1.
struct TridiagonalMatrix {
  std::vector<double> diagonal;             // (n)
  std::vector<double> squared_subdiagonal;  // (n - 1)
};

/// The `count` largest eigenvalues of T, which lie between `lower` and `upper`, descending: by bisection with
/// Sturm's count (Barth, Martin and Wilkinson 1967), down to 2^-56 of that distance. One that is 0 to this
/// precision is 0 exactly.
std::vector<double> bisect_eigenvalues(const TridiagonalMatrix& matrix, double lower, double upper,
                                       std::size_t count);

}  // namespace moescope
