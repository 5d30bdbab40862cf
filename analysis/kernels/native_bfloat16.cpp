// Products of bfloat16 on processors that have an instruction for them, which the vector library at hand does
// not reach.

#include <algorithm>
#include <cstring>
#include <stdexcept>

#include "analysis/kernels/product_kernels.h"

#if defined(__x86_64__)
#include <immintrin.h>
// Only these functions are compiled for it: the program still starts on any processor.
#define MOESCOPE_NATIVE __attribute__((target("avx512f,avx512vl,avx512bw,avx512bf16")))

namespace moescope {
namespace {

/// Sixteen tokens in one register.
struct WholePanel {
  using Vector = __m512;
  MOESCOPE_NATIVE static Vector load(const float* y) { return _mm512_load_ps(y); }
  MOESCOPE_NATIVE static void store(float* y, Vector sum) { _mm512_store_ps(y, sum); }
  MOESCOPE_NATIVE static Vector add_pair(Vector sum, int weights, const Bfloat16* x) {
    return _mm512_dpbf16_ps(sum, (__m512bh)_mm512_set1_epi32(weights), (__m512bh)_mm512_load_si512(x));
  }
};

/// Eight tokens, for a panel that is half empty.
struct HalfPanel {
  using Vector = __m256;
  MOESCOPE_NATIVE static Vector load(const float* y) { return _mm256_load_ps(y); }
  MOESCOPE_NATIVE static void store(float* y, Vector sum) { _mm256_store_ps(y, sum); }
  MOESCOPE_NATIVE static Vector add_pair(Vector sum, int weights, const Bfloat16* x) {
    return _mm256_dpbf16_ps(sum, (__m256bh)_mm256_set1_epi32(weights),
                            (__m256bh)_mm256_load_si256(reinterpret_cast<const __m256i*>(x)));
  }
};

/// Two columns of a row, the first in the lower half; the last of an odd number is paired with zero.
inline int load_pair(const Bfloat16* w, bool whole) {
  if (!whole) return static_cast<int>(*w);
  int pair;
  std::memcpy(&pair, w, sizeof pair);
  return pair;
}

using Panels = ProductPanels<Bfloat16>;

/// As many tiles of Rows rows by Count panels as there are from `row` on, their sums in registers; returns
/// the first row left. Two panels share each broadcast of a weight.
template <class Panel, std::size_t Count, std::size_t Rows>
MOESCOPE_NATIVE std::size_t product_tiles(const Bfloat16* w, std::size_t stride, std::size_t row,
                                          std::size_t rows, std::size_t depth, const Panels& panels) {
  for (; row + Rows <= rows; row += Rows) {
    const Bfloat16* weight = w + row * stride;
    float* y = panels.y + row * panel_lanes;
    typename Panel::Vector sum[Rows][Count];
#pragma GCC unroll 16
    for (std::size_t r = 0; r < Rows; ++r) {
#pragma GCC unroll 2
      for (std::size_t p = 0; p < Count; ++p)
        sum[r][p] = Panel::load(y + p * panels.y_stride + r * panel_lanes);
    }
    for (std::size_t k = 0; k < depth; k += 2) {
#pragma GCC unroll 16
      for (std::size_t r = 0; r < Rows; ++r) {
        const int pair = load_pair(weight + r * stride + k, k + 1 < depth);
#pragma GCC unroll 2
        for (std::size_t p = 0; p < Count; ++p) {
          sum[r][p] = Panel::add_pair(sum[r][p], pair, panels.x + p * panels.x_stride + k * panel_lanes);
        }
      }
    }
#pragma GCC unroll 16
    for (std::size_t r = 0; r < Rows; ++r) {
#pragma GCC unroll 2
      for (std::size_t p = 0; p < Count; ++p)
        Panel::store(y + p * panels.y_stride + r * panel_lanes, sum[r][p]);
    }
  }
  return row;
}

template <class Panel, std::size_t Count>
MOESCOPE_NATIVE void product(const Bfloat16* w, std::size_t stride, std::size_t rows, std::size_t depth,
                             const Panels& panels) {
  std::size_t row = product_tiles<Panel, Count, 12>(w, stride, 0, rows, depth, panels);
  row = product_tiles<Panel, Count, 4>(w, stride, row, rows, depth, panels);
  product_tiles<Panel, Count, 1>(w, stride, row, rows, depth, panels);
}

}  // namespace

bool has_native_bfloat16() {
  static const bool found = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
                            __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512bf16");
  return found;
}

void accumulate_product(const Bfloat16* w, std::size_t stride, std::size_t rows, std::size_t depth,
                        const ProductPanels<Bfloat16>& all, std::size_t tokens) {
  Panels panels = all;  // that are left
  while (tokens > 0) {
    const std::size_t count = tokens > panel_lanes + panel_lanes / 2 ? 2 : 1;
    if (count == 2) {
      product<WholePanel, 2>(w, stride, rows, depth, panels);
    } else if (tokens > panel_lanes / 2) {
      product<WholePanel, 1>(w, stride, rows, depth, panels);
    } else {
      product<HalfPanel, 1>(w, stride, rows, depth, panels);
    }
    panels.x += count * panels.x_stride;
    panels.y += count * panels.y_stride;
    tokens -= std::min(tokens, count * panel_lanes);
  }
}

}  // namespace moescope

#else

namespace moescope {

bool has_native_bfloat16() {
  return false;
}

void accumulate_product(const Bfloat16*, std::size_t, std::size_t, std::size_t,
                        const ProductPanels<Bfloat16>&, std::size_t) {
  throw std::logic_error("this processor has no product of bfloat16");
}

}  // namespace moescope

#endif
