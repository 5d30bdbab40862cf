#include "analysis/kernels/inner_products.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cstdint>
#include <cstring>

namespace moescope {
namespace {

constexpr std::size_t lanes = inner_product_lanes;
constexpr std::size_t tile = 4;  // rows that share each load of the first one

/// `Width` doubles that the processor handles at once.
template <std::size_t Width>
struct VectorOf {
  using type __attribute__((vector_size(Width * sizeof(double)))) = double;
};

/// sums[r] += <row, others[r]> for `Count` rows of `length` elements: lane l takes the elements l, l + 8,
/// l + 16 … Products and sums are rounded one by one (analysis/CMakeLists.txt), so every Width gives the same
/// bytes.
template <std::size_t Width, std::size_t Count>
[[gnu::always_inline]] inline void multiply_row(const double* row, const double* others, std::size_t length,
                                                double* lane_sums) {
  using Vector = typename VectorOf<Width>::type;
  constexpr std::size_t vectors = lanes / Width;
  Vector sums[Count][vectors];
  std::memcpy(sums, lane_sums, sizeof sums);
  for (std::size_t i = 0; i < length; i += lanes) {
#pragma GCC unroll 8
    for (std::size_t v = 0; v < vectors; ++v) {
      Vector value, other;  // copied: rows are aligned to one double only
      std::memcpy(&value, row + i + v * Width, sizeof value);
#pragma GCC unroll 8
      for (std::size_t r = 0; r < Count; ++r) {
        std::memcpy(&other, others + r * length + i + v * Width, sizeof other);
        sums[r][v] += value * other;
      }
    }
  }
  std::memcpy(lane_sums, sums, sizeof sums);
}

/// A matrix of doubles, row-major.
struct Block {
  const double* values;
  std::size_t rows, length;
};

/// All pairs of rows; the lane sums of a pair follow those of the pair before, (i, i), (i, i + 1) …
template <std::size_t Width>
[[gnu::always_inline]] inline void multiply_block(const Block& block, double* lane_sums) {
  for (std::size_t i = 0; i < block.rows; ++i) {
    const double* const row = block.values + i * block.length;
    for (std::size_t j = i; j < block.rows;) {
      const double* const others = block.values + j * block.length;
      const std::size_t count = std::min(tile, block.rows - j);
      if (count == 4) multiply_row<Width, 4>(row, others, block.length, lane_sums);
      if (count == 3) multiply_row<Width, 3>(row, others, block.length, lane_sums);
      if (count == 2) multiply_row<Width, 2>(row, others, block.length, lane_sums);
      if (count == 1) multiply_row<Width, 1>(row, others, block.length, lane_sums);
      lane_sums += count * lanes;
      j += count;
    }
  }
}

/// Rows of floats, (rows, length), as doubles; and of each but the first, the difference to the one before.
[[gnu::always_inline]] inline void widen_block(const float* values, std::size_t rows, std::size_t length,
                                               double* wide, double* differences) {
  for (std::size_t i = 0; i < rows * length; ++i) wide[i] = static_cast<double>(values[i]);
  for (std::size_t i = 0; i + length < rows * length; ++i) differences[i] = wide[i + length] - wide[i];
}

/// An exponent of ones alone carries into the sign bit when 1 is added to it.
[[gnu::always_inline]] inline bool is_finite_block(const float* values, std::size_t count) {
  std::uint32_t carried = 0;
  for (std::size_t i = 0; i < count; ++i)
    carried |= (std::bit_cast<std::uint32_t>(values[i]) & 0x7f800000) + 0x00800000;
  return carried >> 31 == 0;
}

struct Kernels {
  void (*multiply)(const Block&, double*);
  bool (*widen)(const float*, std::size_t, std::size_t, double*, double*);
};

void multiply_block_2(const Block& block, double* lane_sums) {
  multiply_block<2>(block, lane_sums);
}

bool widen_block_2(const float* values, std::size_t rows, std::size_t length, double* wide,
                   double* differences) {
  widen_block(values, rows, length, wide, differences);
  return is_finite_block(values, rows * length);
}

#if defined(__x86_64__)
__attribute__((target("avx2"))) void multiply_block_4(const Block& block, double* lane_sums) {
  multiply_block<4>(block, lane_sums);
}

__attribute__((target("avx512f"))) void multiply_block_8(const Block& block, double* lane_sums) {
  multiply_block<8>(block, lane_sums);
}

__attribute__((target("avx2"))) bool widen_block_4(const float* values, std::size_t rows, std::size_t length,
                                                   double* wide, double* differences) {
  widen_block(values, rows, length, wide, differences);
  return is_finite_block(values, rows * length);
}

Kernels widest_kernels() {
  if (__builtin_cpu_supports("avx512f")) return {multiply_block_8, widen_block_4};
  if (__builtin_cpu_supports("avx2")) return {multiply_block_4, widen_block_4};
  return {multiply_block_2, widen_block_2};
}
#else
Kernels widest_kernels() {
  return {multiply_block_2, widen_block_2};
}
#endif

const Kernels& kernels() {
  static const Kernels widest = widest_kernels();
  return widest;
}

}  // namespace

bool widen(std::span<const float> values, std::size_t length, std::span<double> wide,
           std::span<double> differences) {
  assert(wide.size() >= values.size() && differences.size() + length >= values.size());
  return kernels().widen(values.data(), values.size() / length, length, wide.data(), differences.data());
}

InnerProductSum::InnerProductSum(std::size_t rows)
    : rows_(rows), lanes_(rows * (rows + 1) / 2 * lanes), sums_(rows * (rows + 1) / 2) {}

void InnerProductSum::add(std::span<const double> block, std::size_t length) {
  assert(length % lanes == 0 && block.size() == rows_ * length);
  kernels().multiply({block.data(), rows_, length}, lanes_.data());
  pending_ += length;
  if (pending_ < inner_product_run) return;
  gather(sums_);
  std::ranges::fill(lanes_, 0.0);
  pending_ = 0;
}

/// Adds the lanes to `sums`.
void InnerProductSum::gather(std::vector<CompensatedSum>& sums) const {
  for (std::size_t pair = 0; pair < sums.size(); ++pair) {
    const double* lane = &lanes_[pair * lanes];
    const auto both = [&](std::size_t l) { return lane[l] + lane[l + lanes / 2]; };
    sums[pair].add((both(0) + both(1)) + (both(2) + both(3)));
  }
}

void InnerProductSum::add(const InnerProductSum& other) {
  assert(rows_ == other.rows_);
  for (std::size_t pair = 0; pair < sums_.size(); ++pair) sums_[pair].add(other.sums_[pair].value());
  if (other.pending_ > 0) other.gather(sums_);
}

void InnerProductSum::clear() {
  std::ranges::fill(lanes_, 0.0);
  std::ranges::fill(sums_, CompensatedSum{});
  pending_ = 0;
}

std::vector<double> InnerProductSum::matrix() const {
  std::vector<CompensatedSum> sums = sums_;
  if (pending_ > 0) gather(sums);
  std::vector<double> products(rows_ * rows_);
  std::size_t pair = 0;
  for (std::size_t i = 0; i < rows_; ++i) {
    for (std::size_t j = i; j < rows_; ++j, ++pair) {
      products[i * rows_ + j] = products[j * rows_ + i] = sums[pair].value();
    }
  }
  return products;
}

}  // namespace moescope
