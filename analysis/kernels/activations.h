#pragma once
/// The two layouts of activations: token-major matrices and feature-major panels of 16 tokens.

#include <algorithm>
#include <cstddef>
#include <new>
#include <span>
#include <vector>

#include "analysis/kernels/product_kernels.h"
#include "readers/files/large_memory.h"

namespace moescope {

class ThreadPool;

inline constexpr std::size_t cache_line = 64;  // bytes

/// Memory on cache-line boundaries, as the kernels demand. A matrix of all tokens comes and goes with each
/// step of a layer: in small pages, to have it mapped anew costs as much as computing its norms. Elements
/// that are given no value have none: all of them are computed, and zeroing them first costs as much as
/// computing some.
template <class T>
struct AlignedAllocator {
  using value_type = T;
  AlignedAllocator() = default;
  template <class U>
  AlignedAllocator(const AlignedAllocator<U>&) {}
  T* allocate(std::size_t count) { return static_cast<T*>(allocate_aligned(count * sizeof(T), cache_line)); }
  void deallocate(T* pointer, std::size_t) { free_aligned(pointer); }
  template <class U>
  void construct(U* element) noexcept {
    ::new (static_cast<void*>(element)) U;
  }
  bool operator==(const AlignedAllocator&) const { return true; }
};
template <class T>
using Aligned = std::vector<T, AlignedAllocator<T>>;
using AlignedFloats = Aligned<float>;

/// (rows, columns), row-major; a row is a token. Without values at first.
struct Matrix {
  std::size_t rows = 0, columns = 0;
  AlignedFloats values;

  Matrix() = default;
  Matrix(std::size_t row_count, std::size_t column_count)
      : rows(row_count), columns(column_count), values(row_count * column_count) {}
  static Matrix zero(std::size_t rows, std::size_t columns);
  std::span<float> row(std::size_t r) { return {values.data() + r * columns, columns}; }
  std::span<const float> row(std::size_t r) const { return {values.data() + r * columns, columns}; }
};

/// Adds the bias (columns) to every row of y; an empty one is none.
void add_bias(ThreadPool& threads, Matrix& y, std::span<const float> bias);

/// sum += x, of the same shape.
void add(ThreadPool& threads, const Matrix& x, Matrix& sum);

/// How activations enter a matrix product.
enum class Precision : unsigned char {
  f32,   // as they are
  bf16,  // rounded to bfloat16; sums stay in float32
};

/// How panels lie in memory.
enum class PanelFormat : unsigned char {
  floats,  // (features, 16) float32; in bf16 precision they are rounded
  pairs,   // (ceil(features / 2), 16, 2) bfloat16, for processors that multiply them as such
};
/// What this machine multiplies fastest.
PanelFormat panel_format(Precision precision);

/// Features of a panel that lie together; then come the same features of the next panel. So the panels that
/// are multiplied one after the other are neighbours, and not a power of two apart.
inline constexpr std::size_t panel_features = 192;

/// Activations of `tokens` tokens, ready to be multiplied: ceil(tokens / 16) panels of `features` features,
/// as (blocks of panel_features, panels, …) in the panels' format. Lanes beyond the last token are zero.
struct TokenPanels {
  std::size_t tokens = 0, features = 0;
  Precision precision = Precision::f32;
  AlignedFloats floats;     // either these
  Aligned<Bfloat16> pairs;  // or these, by panel_format(precision)

  TokenPanels() = default;
  TokenPanels(std::size_t token_count, std::size_t feature_count, Precision how);
  std::size_t panels() const { return (tokens + panel_lanes - 1) / panel_lanes; }
  std::size_t lanes(std::size_t p) const { return std::min(panel_lanes, tokens - p * panel_lanes); }
  bool paired() const { return !pairs.empty(); }
  /// Elements from panel to panel, in the block of feature f.
  std::size_t stride(std::size_t f) const;
  /// Where feature `f` of panel `p` begins; f is even where the panels are paired.
  const float* float_panel(std::size_t p, std::size_t f) const { return floats.data() + place(p, f); }
  const Bfloat16* pair_panel(std::size_t p, std::size_t f) const { return pairs.data() + place(p, f); }
  float* float_panel(std::size_t p, std::size_t f) { return floats.data() + place(p, f); }
  /// Sets `count` features of panel p from f on (even), all in one block, to x (count, 16), rounded as the
  /// precision says. x may be the very place, where panels are floats.
  void store(std::size_t p, std::size_t f, std::size_t count, const float* x);

 private:
  std::size_t place(std::size_t p, std::size_t f) const;
};

/// All rows of `source` as panels, or those that `rows` names, in that order.
TokenPanels pack_panels(ThreadPool& threads, const Matrix& source, Precision precision);
TokenPanels pack_panels(ThreadPool& threads, const Matrix& source, std::span<const std::size_t> rows,
                        Precision precision);

}  // namespace moescope
