#include "analysis/kernels/product_kernels.h"

#include <algorithm>
#include <cstring>

// Fixed-size vectors only: the accumulators live in arrays.
#define HWY_DISABLED_TARGETS (HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128 | HWY_RVV)
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "analysis/kernels/product_kernels.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h

#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace moescope {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using Panels = ProductPanels<float>;

/// One tile of a product, `Rows` rows by `Lanes` tokens of neighbouring panels, whose sums stay in registers.
template <std::size_t Lanes, std::size_t Rows>
struct ProductTile {
  using Floats = hn::CappedTag<float, std::min(Lanes, panel_lanes)>;
  using Vector = hn::Vec<Floats>;
  static constexpr std::size_t width = hn::MaxLanes(Floats());  // lanes of one register
  static constexpr std::size_t vectors = Lanes / width;
  Vector sum[Rows][vectors];

  /// Where vector v of a row or column begins.
  static constexpr std::size_t place(std::size_t v, std::size_t stride) {
    return v * width / panel_lanes * stride + v * width % panel_lanes;
  }

  HWY_INLINE void load(const float* y, std::size_t stride) {
    for (std::size_t r = 0; r < Rows; ++r) {
      for (std::size_t v = 0; v < vectors; ++v) {
        sum[r][v] = hn::Load(Floats(), y + place(v, stride) + r * panel_lanes);
      }
    }
  }

  HWY_INLINE void add_column(const float* HWY_RESTRICT w, std::size_t stride, const float* HWY_RESTRICT x,
                             std::size_t x_stride) {
    Vector feature[vectors];
    for (std::size_t v = 0; v < vectors; ++v) feature[v] = hn::Load(Floats(), x + place(v, x_stride));
    for (std::size_t r = 0; r < Rows; ++r) {
      const Vector weight = hn::Set(Floats(), w[r * stride]);
      for (std::size_t v = 0; v < vectors; ++v) sum[r][v] = hn::MulAdd(weight, feature[v], sum[r][v]);
    }
  }

  HWY_INLINE void store(float* y, std::size_t stride) const {
    for (std::size_t r = 0; r < Rows; ++r) {
      for (std::size_t v = 0; v < vectors; ++v) {
        hn::Store(sum[r][v], Floats(), y + place(v, stride) + r * panel_lanes);
      }
    }
  }
};

/// As many whole tiles as there are from `row` on; returns the first row left.
template <std::size_t Lanes, std::size_t Rows>
HWY_INLINE std::size_t product_tiles(const float* w, std::size_t stride, std::size_t row, std::size_t rows,
                                     std::size_t depth, const Panels& panels) {
  for (; row + Rows <= rows; row += Rows) {
    const float* weight = w + row * stride;
    float* y = panels.y + row * panel_lanes;
    ProductTile<Lanes, Rows> tile;
    tile.load(y, panels.y_stride);
    std::size_t k = 0;
    for (; k + 2 <= depth; k += 2) {
      tile.add_column(weight + k + 1, stride, panels.x + (k + 1) * panel_lanes, panels.x_stride);
      tile.add_column(weight + k, stride, panels.x + k * panel_lanes, panels.x_stride);
    }
    if (k < depth) tile.add_column(weight + k, stride, panels.x + k * panel_lanes, panels.x_stride);
    tile.store(y, panels.y_stride);
  }
  return row;
}

/// The next tokens, at most `Lanes`. Rows that share each load of x: enough independent chains to hide the
/// latency of the multiply-add, few enough that all sums stay in registers.
template <std::size_t Lanes>
HWY_INLINE std::size_t product(const float* w, std::size_t stride, std::size_t rows, std::size_t depth,
                               const Panels& panels) {
  using Tile = ProductTile<Lanes, 1>;
  constexpr std::size_t tile_rows = Tile::vectors == 1 || Tile::width == panel_lanes ? 12
                                    : Tile::vectors == 2                             ? 6
                                                                                     : 3;
  std::size_t row = product_tiles<Lanes, tile_rows>(w, stride, 0, rows, depth, panels);
  if (tile_rows > 4) row = product_tiles<Lanes, 4>(w, stride, row, rows, depth, panels);
  product_tiles<Lanes, 1>(w, stride, row, rows, depth, panels);
  return Lanes;
}

/// The same, as many lanes as suit the tokens that are left and the registers.
HWY_INLINE std::size_t product(const float* w, std::size_t stride, std::size_t rows, std::size_t depth,
                               const Panels& panels, std::size_t tokens) {
  constexpr std::size_t half = panel_lanes / 2, width = ProductTile<panel_lanes, 1>::width;
  if constexpr (width == panel_lanes) {
    if (tokens > panel_lanes) return product<2 * panel_lanes>(w, stride, rows, depth, panels);
  }
  if constexpr (width == half) {
    if (tokens > panel_lanes && tokens <= panel_lanes + half) {
      return product<panel_lanes + half>(w, stride, rows, depth, panels);
    }
  }
  if (tokens > half) return product<panel_lanes>(w, stride, rows, depth, panels);
  return product<half>(w, stride, rows, depth, panels);
}

void Product(const float* w, std::size_t stride, std::size_t rows, std::size_t depth, const Panels& panels,
             std::size_t tokens) {
  for (std::size_t done = 0; done < tokens;) {
    const std::size_t panel = done / panel_lanes;
    const Panels rest{panels.x + panel * panels.x_stride, panels.x_stride, panels.y + panel * panels.y_stride,
                      panels.y_stride};
    done += product(w, stride, rows, depth, rest, tokens - done);
  }
}

using Floats = hn::CappedTag<float, panel_lanes>;
using Words = hn::RebindToUnsigned<Floats>;
constexpr std::size_t width = hn::MaxLanes(Floats());

/// The nearest bfloat16, ties to even, in the upper half of each word; NaN stays NaN.
HWY_INLINE hn::Vec<Words> nearest_bfloat16(hn::Vec<Floats> value) {
  const Words words;
  const auto bits = hn::BitCast(words, value);
  const auto odd = hn::And(hn::ShiftRight<16>(bits), hn::Set(words, 1u));
  const auto nearest = hn::Add(bits, hn::Add(odd, hn::Set(words, 0x7fffu)));
  const auto is_nan = hn::RebindMask(words, hn::IsNaN(value));
  const auto rounded = hn::IfThenElse(is_nan, hn::Or(bits, hn::Set(words, 0x00400000u)), nearest);
  return hn::And(rounded, hn::Set(words, 0xffff0000u));
}

void RoundPanel(const float* x, std::size_t depth, float* rounded) {
  for (std::size_t i = 0; i < depth * panel_lanes; i += width) {
    hn::Store(hn::BitCast(Floats(), nearest_bfloat16(hn::Load(Floats(), x + i))), Floats(), rounded + i);
  }
}

void RoundToPairs(const float* x, std::size_t depth, std::uint32_t* pairs) {
  for (std::size_t k = 0; k < depth; k += 2, pairs += panel_lanes) {
    for (std::size_t lane = 0; lane < panel_lanes; lane += width) {
      const float* first = x + k * panel_lanes + lane;
      auto pair = hn::ShiftRight<16>(nearest_bfloat16(hn::Load(Floats(), first)));
      if (k + 1 < depth) pair = hn::Or(pair, nearest_bfloat16(hn::Load(Floats(), first + panel_lanes)));
      hn::Store(pair, Words(), pairs + lane);
    }
  }
}

void ExpandPanel(const std::uint32_t* pairs, std::size_t depth, float* x) {
  for (std::size_t k = 0; k < depth; k += 2, pairs += panel_lanes) {
    for (std::size_t lane = 0; lane < panel_lanes; lane += width) {
      const auto pair = hn::Load(Words(), pairs + lane);
      float* first = x + k * panel_lanes + lane;
      hn::Store(hn::BitCast(Floats(), hn::ShiftLeft<16>(pair)), Floats(), first);
      const auto second = hn::And(pair, hn::Set(Words(), 0xffff0000u));
      if (k + 1 < depth) hn::Store(hn::BitCast(Floats(), second), Floats(), first + panel_lanes);
    }
  }
}

/// One register of values.
HWY_INLINE void expand(const std::byte* source, float* values) {
  const hn::Rebind<std::uint16_t, Floats> halves;
  std::uint16_t bits[width];
  std::memcpy(bits, source, sizeof bits);
  const auto expanded = hn::ShiftLeft<16>(hn::PromoteTo(Words(), hn::LoadU(halves, bits)));
  hn::StoreU(hn::BitCast(Floats(), expanded), Floats(), values);
}

HWY_INLINE void expand_row(const std::byte* source, std::size_t count, float* values) {
  constexpr std::size_t unroll = 4;
  std::size_t i = 0;
  for (; i + unroll * width <= count; i += unroll * width) {
    for (std::size_t v = i; v < i + unroll * width; v += width)
      expand(source + v * sizeof(Bfloat16), values + v);
  }
  for (; i + width <= count; i += width) expand(source + i * sizeof(Bfloat16), values + i);
  for (; i < count; ++i) {
    std::uint16_t bits;
    std::memcpy(&bits, source + i * sizeof bits, sizeof bits);
    const std::uint32_t word = std::uint32_t{bits} << 16;
    std::memcpy(values + i, &word, sizeof word);
  }
}

void ExpandBfloat16(const std::byte* source, std::size_t source_stride, std::size_t rows, std::size_t columns,
                    float* values, std::size_t stride) {
  for (std::size_t r = 0; r < rows; ++r) expand_row(source + r * source_stride, columns, values + r * stride);
}

/// One register of F8_E4M3 numbers. Their exponents move by 120; with that of the smallest normal number,
/// subnormal ones are that number too large. All this is exact, and no step is subnormal in float32.
HWY_INLINE hn::Vec<Floats> load_float8(const std::byte* source) {
  const Words words;
  std::uint8_t bytes[width];
  std::memcpy(bytes, source, width);
  const auto bits = hn::PromoteTo(words, hn::LoadU(hn::Rebind<std::uint8_t, Floats>(), bytes));
  const auto magnitude = hn::And(bits, hn::Set(words, 0x7fu)), fields = hn::ShiftLeft<20>(magnitude);
  const auto normal = hn::Add(fields, hn::Set(words, 120u << 23));
  const auto raised = hn::BitCast(Floats(), hn::Add(fields, hn::Set(words, 121u << 23)));
  const auto subnormal = hn::BitCast(words, hn::Sub(raised, hn::Set(Floats(), 0x1p-6f)));
  auto value = hn::IfThenElse(hn::Lt(magnitude, hn::Set(words, 8u)), subnormal, normal);
  value = hn::IfThenElse(hn::Eq(magnitude, hn::Set(words, 0x7fu)), hn::Set(words, 0x7fc00000u), value);
  return hn::BitCast(Floats(), hn::Or(value, hn::ShiftLeft<24>(hn::And(bits, hn::Set(words, 0x80u)))));
}

HWY_INLINE void store(hn::Vec<Floats> value, float* out) {
  hn::StoreU(value, Floats(), out);
}
HWY_INLINE void store(hn::Vec<Floats> value, std::uint16_t* out) {
  const auto upper = hn::ShiftRight<16>(hn::BitCast(Words(), value));
  const hn::Rebind<std::uint16_t, Floats> halves;
  hn::StoreU(hn::TruncateTo(halves, upper), halves, out);
}

template <class Element>
HWY_INLINE void expand_float8(const std::byte* source, std::size_t count, float scale, Element* values) {
  const auto factor = hn::Set(Floats(), scale);
  std::size_t i = 0;
  for (; i + width <= count; i += width) store(hn::Mul(load_float8(source + i), factor), values + i);
  if (i == count) return;
  std::byte rest[width] = {};
  Element last[width];
  std::memcpy(rest, source + i, count - i);
  store(hn::Mul(load_float8(rest), factor), last);
  std::copy_n(last, count - i, values + i);
}

void ExpandFloat8(const std::byte* source, std::size_t count, float scale, float* values) {
  expand_float8(source, count, scale, values);
}

void ExpandFloat8ToHalves(const std::byte* source, std::size_t count, float scale, std::uint16_t* values) {
  expand_float8(source, count, scale, values);
}

}  // namespace HWY_NAMESPACE
}  // namespace moescope
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace moescope {

HWY_EXPORT(Product);
HWY_EXPORT(RoundPanel);
HWY_EXPORT(RoundToPairs);
HWY_EXPORT(ExpandPanel);
HWY_EXPORT(ExpandBfloat16);
HWY_EXPORT(ExpandFloat8);
HWY_EXPORT(ExpandFloat8ToHalves);

void accumulate_product(const float* w, std::size_t stride, std::size_t rows, std::size_t depth,
                        const ProductPanels<float>& panels, std::size_t tokens) {
  HWY_DYNAMIC_DISPATCH(Product)(w, stride, rows, depth, panels, tokens);
}

void round_panel(const float* x, std::size_t depth, float* rounded) {
  HWY_DYNAMIC_DISPATCH(RoundPanel)(x, depth, rounded);
}

void round_panel(const float* x, std::size_t depth, Bfloat16* pairs) {
  HWY_DYNAMIC_DISPATCH(RoundToPairs)(x, depth, reinterpret_cast<std::uint32_t*>(pairs));
}

void expand_panel(const Bfloat16* pairs, std::size_t depth, float* x) {
  HWY_DYNAMIC_DISPATCH(ExpandPanel)(reinterpret_cast<const std::uint32_t*>(pairs), depth, x);
}

void expand_bfloat16(const std::byte* source, std::size_t source_stride, std::size_t rows,
                     std::size_t columns, float* values, std::size_t stride) {
  HWY_DYNAMIC_DISPATCH(ExpandBfloat16)(source, source_stride, rows, columns, values, stride);
}

void expand_float8(const std::byte* source, std::size_t count, float scale, float* values) {
  HWY_DYNAMIC_DISPATCH(ExpandFloat8)(source, count, scale, values);
}

void expand_float8(const std::byte* source, std::size_t count, float scale, Bfloat16* values) {
  HWY_DYNAMIC_DISPATCH(ExpandFloat8ToHalves)
  (source, count, scale, reinterpret_cast<std::uint16_t*>(values));
}

}  // namespace moescope
#endif  // HWY_ONCE
