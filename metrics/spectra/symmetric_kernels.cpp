#include "metrics/spectra/symmetric_kernels.h"

#include <algorithm>
#include <cassert>
#include <initializer_list>
#include <limits>
#include <new>

// Fixed-size vectors only: sums live in arrays.
#define HWY_DISABLED_TARGETS (HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128 | HWY_RVV)
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "metrics/spectra/symmetric_kernels.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h

#include <hwy/aligned_allocator.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace moescope {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using Doubles = hn::CappedTag<double, 8>;
using Vector = hn::Vec<Doubles>;
constexpr Doubles doubles;
constexpr std::size_t lanes = hn::MaxLanes(doubles);

// A tile of a product, whose sums stay in registers: half a processor's registers at least, for their
// latency.
constexpr std::size_t tile_vectors = lanes > 2 ? 3 : 4 / lanes;
constexpr std::size_t tile_rows = tile_vectors * lanes;
constexpr std::size_t tile_columns = lanes > 4 ? 8 : 4;
static_assert(tile_rows % tile_columns == 0);  // a tile's columns are part of one tile's rows
constexpr std::size_t block_rows = 96;         // whose part of a panel stays in the second-level cache
static_assert(block_rows % tile_rows == 0);
constexpr std::size_t panel_depth = 256;  // so many products are summed before a matrix is touched

/// Rows side by side in groups of tile_rows, those of a group column by column: (rows / tile_rows rounded up,
/// depth, tile_rows). Rows that are not there are 0.
class PackedRows {
 public:
  PackedRows(std::size_t rows, std::size_t depth)
      : values_(hwy::AllocateAligned<double>((rows + tile_rows - 1) / tile_rows * tile_rows * depth)) {
    if (!values_) throw std::bad_alloc();
  }

  /// The columns of some matrices, one after the other.
  template <class Element>
  void fill(std::initializer_list<StridedMatrix<Element>> matrices) {
    depth_ = 0;
    for (const auto& matrix : matrices) depth_ += matrix.columns;
    std::size_t first_column = 0;
    for (const auto& matrix : matrices) {
      for (std::size_t row = 0; row < matrix.rows; row += tile_rows)
        fill_group(matrix, row, values_.get() + row * depth_ + first_column * tile_rows);
      first_column += matrix.columns;
    }
  }

  std::size_t depth() const { return depth_; }
  /// Of the group that holds `row`, from this row on; the next column lies tile_rows further on.
  const double* from_row(std::size_t row) const {
    return values_.get() + row / tile_rows * tile_rows * depth_ + row % tile_rows;
  }

 private:
  template <class Element>
  static void fill_group(const StridedMatrix<Element>& matrix, std::size_t first, double* to) {
    const Element* from = matrix.values + first * matrix.row_stride;
    const std::size_t count = std::min(tile_rows, matrix.rows - first);
    if (count < tile_rows) std::fill_n(to, tile_rows * matrix.columns, 0.0);
    const auto copy = [&](std::size_t r, std::size_t k) {
      to[k * tile_rows + r] = from[r * matrix.row_stride + k * matrix.column_stride];
    };
    if (matrix.row_stride < matrix.column_stride) {  // in the order in which they lie
      for (std::size_t k = 0; k < matrix.columns; ++k) {
        for (std::size_t r = 0; r < count; ++r) copy(r, k);
      }
    } else {
      for (std::size_t r = 0; r < count; ++r) {
        for (std::size_t k = 0; k < matrix.columns; ++k) copy(r, k);
      }
    }
  }

  hwy::AlignedFreeUniquePtr<double[]> values_;
  std::size_t depth_ = 0;
};

/// The products of tile_rows rows x with tile_columns rows y: tile (tile_columns, tile_rows). Inlined, it
/// would have to share registers with what is around it.
HWY_NOINLINE void multiply_tile(const double* HWY_RESTRICT x, const double* HWY_RESTRICT y, std::size_t depth,
                                double* HWY_RESTRICT tile) {
  Vector sum[tile_columns][tile_vectors];
  for (auto& column : sum) {
    for (Vector& one : column) one = hn::Zero(doubles);
  }
  for (std::size_t k = 0; k < depth; ++k, x += tile_rows, y += tile_rows) {
    Vector row[tile_vectors];
    for (std::size_t v = 0; v < tile_vectors; ++v) row[v] = hn::Load(doubles, x + v * lanes);
    for (std::size_t c = 0; c < tile_columns; ++c) {
      const Vector factor = hn::Set(doubles, y[c]);
      for (std::size_t v = 0; v < tile_vectors; ++v) sum[c][v] = hn::MulAdd(row[v], factor, sum[c][v]);
    }
  }
  for (std::size_t c = 0; c < tile_columns; ++c) {
    for (std::size_t v = 0; v < tile_vectors; ++v)
      hn::Store(sum[c][v], doubles, tile + c * tile_rows + v * lanes);
  }
}

/// matrix += factor X Yᵀ, below the diagonal and on it; X and Y have `rows` rows.
void add_products(const PackedRows& x, const PackedRows& y, std::size_t rows, double factor, double* matrix,
                  std::size_t stride) {
  HWY_ALIGN double tile[tile_columns * tile_rows];
  for (std::size_t block = 0; block < rows; block += block_rows) {
    const std::size_t end = std::min(block + block_rows, rows);
    for (std::size_t column = 0; column < end; column += tile_columns) {
      for (std::size_t row = std::max(block, column / tile_rows * tile_rows); row < end; row += tile_rows) {
        multiply_tile(x.from_row(row), y.from_row(column), x.depth(), tile);
        for (std::size_t c = column; c < std::min(column + tile_columns, rows); ++c) {
          const double* sums = tile + (c - column) * tile_rows;
          double* target = matrix + c * stride;
          for (std::size_t r = std::max(row, c); r < std::min(row + tile_rows, end); ++r)
            target[r] += factor * sums[r - row];
        }
      }
    }
  }
}

void AddRowProducts(const StridedMatrix<float>& x, double* gram) {
  PackedRows packed(x.rows, std::min(panel_depth, x.columns));
  for (std::size_t first = 0; first < x.columns; first += panel_depth) {
    const std::size_t depth = std::min(panel_depth, x.columns - first);
    packed.fill<float>({{x.values + first * x.column_stride, x.rows, depth, x.row_stride, x.column_stride}});
    add_products(packed, packed, x.rows, 1, gram, x.rows);
  }
}

void SubtractSymmetricProducts(const StridedMatrix<double>& v, const StridedMatrix<double>& w, double* matrix,
                               std::size_t stride) {
  PackedRows left(v.rows, 2 * v.columns), right(v.rows, 2 * v.columns);
  left.fill({v, w});
  right.fill({w, v});
  add_products(left, right, v.rows, -1, matrix, stride);
}

void MultiplySymmetric(const double* matrix, std::size_t size, std::size_t stride,
                       const double* HWY_RESTRICT x, double* HWY_RESTRICT y) {
  constexpr std::size_t together = 4;  // columns
  std::fill_n(y, size, 0.0);
  for (std::size_t first = 0; first < size; first += together) {
    const std::size_t count = std::min(together, size - first);
    const double* column[together];
    double sum[together] = {};  // of the rows below, with x: what the triangle above adds to y
    for (std::size_t c = 0; c < count; ++c) {
      column[c] = matrix + (first + c) * stride;
      y[first + c] += column[c][first + c] * x[first + c];
      for (std::size_t r = first + c + 1; r < first + count; ++r) {
        y[r] += column[c][r] * x[first + c];
        sum[c] += column[c][r] * x[r];
      }
    }
    std::size_t row = first + count;
    if (count == together) {
      Vector factor[together], sums[together];
      for (std::size_t c = 0; c < together; ++c) {
        factor[c] = hn::Set(doubles, x[first + c]);
        sums[c] = hn::Zero(doubles);
      }
      for (; row + lanes <= size; row += lanes) {
        const Vector of_row = hn::LoadU(doubles, x + row);
        Vector target = hn::LoadU(doubles, y + row);
        for (std::size_t c = 0; c < together; ++c) {
          const Vector element = hn::LoadU(doubles, column[c] + row);
          target = hn::MulAdd(element, factor[c], target);
          sums[c] = hn::MulAdd(element, of_row, sums[c]);
        }
        hn::StoreU(target, doubles, y + row);
      }
      for (std::size_t c = 0; c < together; ++c) sum[c] += hn::GetLane(hn::SumOfLanes(doubles, sums[c]));
      for (; row < size; ++row) {
        for (std::size_t c = 0; c < together; ++c) {
          y[row] += column[c][row] * x[first + c];
          sum[c] += column[c][row] * x[row];
        }
      }
    }
    for (std::size_t c = 0; c < count; ++c) y[first + c] += sum[c];
  }
}

/// `squared` (size) begins with a 0 for the row above the first; the others are not 0.
void BisectEigenvalues(const double* diagonal, const double* squared, std::size_t size, double lowest,
                       double highest, std::size_t count, double* eigenvalues) {
  constexpr std::size_t together = 4;  // vectors, whose divisions do not wait for one another
  constexpr int steps = 56;
  const Vector zero = hn::Zero(doubles), one = hn::Set(doubles, 1.0), half = hn::Set(doubles, 0.5);
  for (std::size_t first = 0; first < count; first += together * lanes) {
    Vector lower[together], upper[together], most_below[together];
    for (std::size_t v = 0; v < together; ++v) {
      lower[v] = hn::Set(doubles, lowest);
      upper[v] = hn::Set(doubles, highest);
      // The k-th largest, k from 0, is at least x where at most size - 1 - k are below x.
      most_below[v] = hn::Sub(hn::Set(doubles, static_cast<double>(size - 1)),
                              hn::Iota(doubles, static_cast<double>(first + v * lanes)));
    }
    for (int step = 0; step < steps; ++step) {
      Vector x[together], pivot[together], below[together];
      for (std::size_t v = 0; v < together; ++v) {
        x[v] = hn::Mul(half, hn::Add(lower[v], upper[v]));
        pivot[v] = one;
        below[v] = zero;
      }
      // A pivot of 0 makes the next infinite, and all is well after it.
      for (std::size_t i = 0; i < size; ++i) {
        const Vector entry = hn::Set(doubles, diagonal[i]), square = hn::Set(doubles, squared[i]);
        for (std::size_t v = 0; v < together; ++v) {
          pivot[v] = hn::Sub(hn::Sub(entry, x[v]), hn::Div(square, pivot[v]));
          below[v] = hn::Add(below[v], hn::IfThenElseZero(hn::Lt(pivot[v], zero), one));
        }
      }
      for (std::size_t v = 0; v < together; ++v) {
        const auto is_above = hn::Le(below[v], most_below[v]);
        lower[v] = hn::IfThenElse(is_above, x[v], lower[v]);
        upper[v] = hn::IfThenElse(is_above, upper[v], x[v]);
      }
    }
    HWY_ALIGN double found[together * lanes];
    for (std::size_t v = 0; v < together; ++v) {
      const auto holds_zero = hn::And(hn::Le(lower[v], zero), hn::Ge(upper[v], zero));
      const Vector middle = hn::Mul(half, hn::Add(lower[v], upper[v]));
      hn::Store(hn::IfThenZeroElse(holds_zero, middle), doubles, found + v * lanes);
    }
    std::copy_n(found, std::min(together * lanes, count - first), eigenvalues + first);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace moescope
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace moescope {

HWY_EXPORT(AddRowProducts);
HWY_EXPORT(SubtractSymmetricProducts);
HWY_EXPORT(MultiplySymmetric);
HWY_EXPORT(BisectEigenvalues);

void add_row_products(const StridedMatrix<float>& x, double* gram) {
  HWY_DYNAMIC_DISPATCH(AddRowProducts)(x, gram);
}

void subtract_symmetric_products(const StridedMatrix<double>& v, const StridedMatrix<double>& w,
                                 double* matrix, std::size_t stride) {
  HWY_DYNAMIC_DISPATCH(SubtractSymmetricProducts)(v, w, matrix, stride);
}

void multiply_symmetric(const double* matrix, std::size_t size, std::size_t stride, const double* x,
                        double* y) {
  HWY_DYNAMIC_DISPATCH(MultiplySymmetric)(matrix, size, stride, x, y);
}

std::vector<double> bisect_eigenvalues(const TridiagonalMatrix& matrix, double lower, double upper,
                                       std::size_t count) {
  const std::size_t size = matrix.diagonal.size();
  assert(count <= size && (size == 0 || matrix.squared_subdiagonal.size() == size - 1));
  std::vector<double> squared(size, 0.0), eigenvalues(count);
  for (std::size_t i = 1; i < size; ++i)  // 0 / 0 would be NaN
    squared[i] = std::max(matrix.squared_subdiagonal[i - 1], std::numeric_limits<double>::min());
  HWY_DYNAMIC_DISPATCH(BisectEigenvalues)
  (matrix.diagonal.data(), squared.data(), size, lower, upper, count, eigenvalues.data());
  return eigenvalues;
}

}  // namespace moescope
#endif  // HWY_ONCE
