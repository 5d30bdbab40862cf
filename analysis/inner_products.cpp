#include "analysis/inner_products.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cstring>

namespace moescope {
namespace {

constexpr std::size_t lanes = inner_product_lanes;
constexpr std::size_t tile = 4;  // rows that share each load of the first one

using Rows = std::array<const double*, tile>;
using Products = std::array<double, tile>;

/// `Width` doubles that the processor handles at once.
template <std::size_t Width>
struct VectorOf {
  using type __attribute__((vector_size(Width * sizeof(double)))) = double;
};

/// <row, others[r]> for four rows of `length` elements: the sum of lane l takes the elements l, l + 8, l + 16
/// … Products and sums are rounded one by one (analysis/CMakeLists.txt), so every Width gives the same bytes.
template <std::size_t Width>
[[gnu::always_inline]] inline void multiply_row(const double* row, const Rows& others, std::size_t length,
                                                Products& products) {
  using Vector = typename VectorOf<Width>::type;
  constexpr std::size_t vectors = lanes / Width;
  Vector sums[tile][vectors] = {};
  for (std::size_t i = 0; i < length; i += lanes) {
#pragma GCC unroll 8
    for (std::size_t v = 0; v < vectors; ++v) {
      Vector value, other;  // copied: rows are aligned to one double only
      std::memcpy(&value, row + i + v * Width, sizeof value);
#pragma GCC unroll 8
      for (std::size_t r = 0; r < tile; ++r) {
        std::memcpy(&other, others[r] + i + v * Width, sizeof other);
        sums[r][v] += value * other;
      }
    }
  }
  for (std::size_t r = 0; r < tile; ++r) {
    const auto lane = [&](std::size_t l) { return sums[r][l / Width][l % Width]; };
    products[r] = ((lane(0) + lane(4)) + (lane(1) + lane(5))) + ((lane(2) + lane(6)) + (lane(3) + lane(7)));
  }
}

void multiply_row_2(const double* row, const Rows& others, std::size_t length, Products& products) {
  multiply_row<2>(row, others, length, products);
}

using RowProduct = void (*)(const double*, const Rows&, std::size_t, Products&);

#if defined(__x86_64__)
__attribute__((target("avx2"))) void multiply_row_4(const double* row, const Rows& others, std::size_t length,
                                                    Products& products) {
  multiply_row<4>(row, others, length, products);
}

__attribute__((target("avx512f"))) void multiply_row_8(const double* row, const Rows& others,
                                                       std::size_t length, Products& products) {
  multiply_row<8>(row, others, length, products);
}

RowProduct widest_row_product() {
  if (__builtin_cpu_supports("avx512f")) return multiply_row_8;
  return __builtin_cpu_supports("avx2") ? multiply_row_4 : multiply_row_2;
}
#else
RowProduct widest_row_product() {
  return multiply_row_2;
}
#endif

}  // namespace

InnerProductSum::InnerProductSum(std::size_t rows) : rows_(rows), sums_(rows * rows) {}

void InnerProductSum::add(std::span<const double> block, std::size_t length) {
  assert(length % lanes == 0 && block.size() == rows_ * length);
  static const RowProduct multiply = widest_row_product();
  Rows others;
  Products products;
  for (std::size_t i = 0; i < rows_; ++i) {
    for (std::size_t j = i; j < rows_; j += tile) {
      const std::size_t count = std::min(tile, rows_ - j);  // the last tile repeats its last row
      for (std::size_t r = 0; r < tile; ++r) others[r] = block.data() + (j + std::min(r, count - 1)) * length;
      multiply(block.data() + i * length, others, length, products);
      for (std::size_t r = 0; r < count; ++r) sums_[i * rows_ + j + r].add(products[r]);
    }
  }
}

void InnerProductSum::add(const InnerProductSum& other) {
  assert(rows_ == other.rows_);
  for (std::size_t i = 0; i < rows_; ++i) {
    for (std::size_t j = i; j < rows_; ++j) sums_[i * rows_ + j].add(other.sums_[i * rows_ + j].value());
  }
}

std::vector<double> InnerProductSum::matrix() const {
  std::vector<double> products(rows_ * rows_);
  for (std::size_t i = 0; i < rows_; ++i) {
    for (std::size_t j = i; j < rows_; ++j) {
      products[i * rows_ + j] = products[j * rows_ + i] = sums_[i * rows_ + j].value();
    }
  }
  return products;
}

}  // namespace moescope
