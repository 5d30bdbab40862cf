#include "analysis/kernels.h"

// Fixed-size vectors only: the accumulators live in arrays.
#define HWY_DISABLED_TARGETS (HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128 | HWY_RVV)
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "analysis/kernels.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h

#include <hwy/contrib/math/math-inl.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace moescope {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using Floats = hn::CappedTag<float, panel_lanes>;
using Vector = hn::Vec<Floats>;
constexpr Floats floats;
constexpr std::size_t width = hn::MaxLanes(floats);   // lanes of one register
constexpr std::size_t vectors = panel_lanes / width;  // registers of one panel row

/// Weight rows that share each load of x. Enough independent chains to hide the latency of the multiply-add,
/// few enough that all accumulators stay in registers.
constexpr std::size_t tile_rows = vectors == 1 ? 12 : vectors == 2 ? 6 : 3;

/// exp(x) that keeps NaN (the library's turns it to 0) and overflows to infinity.
HWY_INLINE Vector exponential(Vector x) {
  const Vector result = hn::Exp(floats, hn::Min(x, hn::Set(floats, 104.0f)));
  return hn::IfThenElse(hn::IsNaN(x), x, result);
}

template <std::size_t Rows>
HWY_INLINE void product_tile(const float* HWY_RESTRICT w, std::size_t w_stride, std::size_t depth,
                             const float* HWY_RESTRICT x, float* HWY_RESTRICT y) {
  Vector sum[Rows][vectors];
  for (std::size_t r = 0; r < Rows; ++r) {
    for (std::size_t v = 0; v < vectors; ++v) sum[r][v] = hn::Load(floats, y + r * panel_lanes + v * width);
  }
  for (std::size_t k = 0; k < depth; ++k) {
    Vector feature[vectors];
    for (std::size_t v = 0; v < vectors; ++v) feature[v] = hn::Load(floats, x + k * panel_lanes + v * width);
    for (std::size_t r = 0; r < Rows; ++r) {
      const Vector weight = hn::Set(floats, w[r * w_stride + k]);
      for (std::size_t v = 0; v < vectors; ++v) sum[r][v] = hn::MulAdd(weight, feature[v], sum[r][v]);
    }
  }
  for (std::size_t r = 0; r < Rows; ++r) {
    for (std::size_t v = 0; v < vectors; ++v) hn::Store(sum[r][v], floats, y + r * panel_lanes + v * width);
  }
}

/// As many whole tiles as there are from row `r` on; returns the first row left.
template <std::size_t Rows>
HWY_INLINE std::size_t product_tiles(const float* w, std::size_t w_stride, std::size_t r, std::size_t rows,
                                     std::size_t depth, const float* x, float* y) {
  for (; r + Rows <= rows; r += Rows) {
    product_tile<Rows>(w + r * w_stride, w_stride, depth, x, y + r * panel_lanes);
  }
  return r;
}

void AccumulateProduct(const float* w, std::size_t w_stride, std::size_t rows, std::size_t depth,
                       const float* x, float* y) {
  std::size_t done = product_tiles<tile_rows>(w, w_stride, 0, rows, depth, x, y);
  done = product_tiles<4>(w, w_stride, done, rows, depth, x, y);
  done = product_tiles<2>(w, w_stride, done, rows, depth, x, y);
  product_tiles<1>(w, w_stride, done, rows, depth, x, y);
}

void SiluMultiply(float* gate, const float* up, std::size_t count) {
  const Vector one = hn::Set(floats, 1.0f);
  for (std::size_t i = 0; i < count; i += width) {
    const Vector x = hn::Load(floats, gate + i);
    const Vector silu = hn::Div(x, hn::Add(one, exponential(hn::Neg(x))));
    hn::Store(hn::Mul(silu, hn::Load(floats, up + i)), floats, gate + i);
  }
}

void RoundToBfloat16(float* values, std::size_t count) {
  const hn::RebindToUnsigned<Floats> words;
  const auto quiet = hn::Set(words, 0x00400000u);
  const auto keep = hn::Set(words, 0xffff0000u);
  for (std::size_t i = 0; i < count; i += width) {
    const Vector value = hn::Load(floats, values + i);
    const auto bits = hn::BitCast(words, value);
    const auto odd = hn::And(hn::ShiftRight<16>(bits), hn::Set(words, 1u));
    const auto nearest = hn::Add(bits, hn::Add(odd, hn::Set(words, 0x7fffu)));
    const auto is_nan = hn::RebindMask(words, hn::IsNaN(value));
    const auto rounded = hn::IfThenElse(is_nan, hn::Or(bits, quiet), nearest);
    hn::Store(hn::BitCast(floats, hn::And(rounded, keep)), floats, values + i);
  }
}

void SoftmaxStep(float* scores, std::size_t keys, float scale, float* maximum, float* sum, float* rescale) {
  const Vector factor = hn::Set(floats, scale);
  for (std::size_t lane = 0; lane < panel_lanes; lane += width) {
    const Vector before = hn::Load(floats, maximum + lane);
    Vector highest = before;
    for (std::size_t k = 0; k < keys; ++k) {
      const Vector scaled = hn::Mul(factor, hn::Load(floats, scores + k * panel_lanes + lane));
      hn::Store(scaled, floats, scores + k * panel_lanes + lane);
      highest = hn::Max(highest, scaled);
    }
    const Vector shrink = exponential(hn::Sub(before, highest));
    Vector total = hn::Mul(hn::Load(floats, sum + lane), shrink);
    for (std::size_t k = 0; k < keys; ++k) {
      float* score = scores + k * panel_lanes + lane;
      const Vector share = exponential(hn::Sub(hn::Load(floats, score), highest));
      hn::Store(share, floats, score);
      total = hn::Add(total, share);
    }
    hn::Store(highest, floats, maximum + lane);
    hn::Store(total, floats, sum + lane);
    hn::Store(shrink, floats, rescale + lane);
  }
}

void ScaleLanes(float* values, std::size_t rows, const float* factor) {
  for (std::size_t lane = 0; lane < panel_lanes; lane += width) {
    const Vector scale = hn::Load(floats, factor + lane);
    for (std::size_t r = 0; r < rows; ++r) {
      float* value = values + r * panel_lanes + lane;
      hn::Store(hn::Mul(scale, hn::Load(floats, value)), floats, value);
    }
  }
}

void ExpSum(const float* logits, std::size_t rows, float* maximum, float* sum) {
  for (std::size_t lane = 0; lane < panel_lanes; lane += width) {
    Vector highest = hn::Load(floats, logits + lane);
    for (std::size_t r = 1; r < rows; ++r) {
      highest = hn::Max(highest, hn::Load(floats, logits + r * panel_lanes + lane));
    }
    Vector total = hn::Zero(floats);
    for (std::size_t r = 0; r < rows; ++r) {
      const Vector logit = hn::Load(floats, logits + r * panel_lanes + lane);
      total = hn::Add(total, exponential(hn::Sub(logit, highest)));
    }
    hn::Store(highest, floats, maximum + lane);
    hn::Store(total, floats, sum + lane);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace moescope
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace moescope {

HWY_EXPORT(AccumulateProduct);
HWY_EXPORT(SiluMultiply);
HWY_EXPORT(RoundToBfloat16);
HWY_EXPORT(SoftmaxStep);
HWY_EXPORT(ScaleLanes);
HWY_EXPORT(ExpSum);

void accumulate_product(const float* w, std::size_t w_stride, std::size_t rows, std::size_t depth,
                        const float* x, float* y) {
  HWY_DYNAMIC_DISPATCH(AccumulateProduct)(w, w_stride, rows, depth, x, y);
}

void silu_multiply(float* gate, const float* up, std::size_t count) {
  HWY_DYNAMIC_DISPATCH(SiluMultiply)(gate, up, count);
}

void round_to_bfloat16(float* values, std::size_t count) {
  HWY_DYNAMIC_DISPATCH(RoundToBfloat16)(values, count);
}

void softmax_step(float* scores, std::size_t keys, float scale, float* maximum, float* sum, float* rescale) {
  HWY_DYNAMIC_DISPATCH(SoftmaxStep)(scores, keys, scale, maximum, sum, rescale);
}

void scale_lanes(float* values, std::size_t rows, const float* factor) {
  HWY_DYNAMIC_DISPATCH(ScaleLanes)(values, rows, factor);
}

void exp_sum(const float* logits, std::size_t rows, float* maximum, float* sum) {
  HWY_DYNAMIC_DISPATCH(ExpSum)(logits, rows, maximum, sum);
}

}  // namespace moescope
#endif  // HWY_ONCE
