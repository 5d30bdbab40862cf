#pragma once
/// The two layouts of activations: token-major matrices and feature-major panels of 16 tokens.

#include <algorithm>
#include <cstddef>
#include <new>
#include <span>
#include <vector>

#include "analysis/kernels.h"

namespace moescope {

class ThreadPool;

/// Allocates on cache-line boundaries, as the kernels demand.
template <class T>
struct AlignedAllocator {
  using value_type = T;
  static constexpr std::align_val_t alignment{64};
  AlignedAllocator() = default;
  template <class U>
  AlignedAllocator(const AlignedAllocator<U>&) {}
  T* allocate(std::size_t count) { return static_cast<T*>(::operator new(count * sizeof(T), alignment)); }
  void deallocate(T* pointer, std::size_t) { ::operator delete(pointer, alignment); }
  bool operator==(const AlignedAllocator&) const { return true; }
};
using AlignedFloats = std::vector<float, AlignedAllocator<float>>;

/// (rows, columns), row-major; a row is a token.
struct Matrix {
  std::size_t rows = 0, columns = 0;
  AlignedFloats values;

  Matrix() = default;
  Matrix(std::size_t row_count, std::size_t column_count)
      : rows(row_count), columns(column_count), values(row_count * column_count) {}
  std::span<float> row(std::size_t r) { return {values.data() + r * columns, columns}; }
  std::span<const float> row(std::size_t r) const { return {values.data() + r * columns, columns}; }
};

/// Activations of `tokens` tokens, ready to be multiplied: (ceil(tokens / 16), features, 16).
/// Lanes beyond the last token are zero.
struct TokenPanels {
  std::size_t tokens = 0, features = 0;
  AlignedFloats values;

  TokenPanels() = default;
  TokenPanels(std::size_t token_count, std::size_t feature_count)
      : tokens(token_count), features(feature_count), values(panels() * feature_count * panel_lanes) {}
  std::size_t panels() const { return (tokens + panel_lanes - 1) / panel_lanes; }
  std::size_t lanes(std::size_t p) const { return std::min(panel_lanes, tokens - p * panel_lanes); }
  float* panel(std::size_t p) { return values.data() + p * features * panel_lanes; }
  const float* panel(std::size_t p) const { return values.data() + p * features * panel_lanes; }
};

/// How activations enter a matrix product.
enum class Precision : unsigned char {
  f32,   // as they are
  bf16,  // rounded to bfloat16; sums stay in float32
};

/// All rows of `source` as panels, or those that `rows` names, in that order.
TokenPanels pack_panels(ThreadPool& threads, const Matrix& source, Precision precision);
TokenPanels pack_panels(ThreadPool& threads, const Matrix& source, std::span<const std::size_t> rows,
                        Precision precision);

}  // namespace moescope
