#include "analysis/kernels/elementwise.h"

// Fixed-size vectors only: the accumulators live in arrays.
#define HWY_DISABLED_TARGETS (HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128 | HWY_RVV)
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "analysis/kernels/elementwise.cpp"
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
constexpr std::size_t width = hn::MaxLanes(floats);  // lanes of one register

/// exp(x) that keeps NaN (the library's turns it to 0) and overflows to infinity.
HWY_INLINE Vector exponential(Vector x) {
  const Vector result = hn::Exp(floats, hn::Min(x, hn::Set(floats, 104.0f)));
  return hn::IfThenElse(hn::IsNaN(x), x, result);
}

void SiluMultiply(float* gate, const float* up, std::size_t count) {
  const Vector one = hn::Set(floats, 1.0f);
  for (std::size_t i = 0; i < count; i += width) {
    const Vector x = hn::Load(floats, gate + i);
    const Vector silu = hn::Div(x, hn::Add(one, exponential(hn::Neg(x))));
    hn::Store(hn::Mul(silu, hn::Load(floats, up + i)), floats, gate + i);
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

HWY_EXPORT(SiluMultiply);
HWY_EXPORT(SoftmaxStep);
HWY_EXPORT(ScaleLanes);
HWY_EXPORT(ExpSum);

void silu_multiply(float* gate, const float* up, std::size_t count) {
  HWY_DYNAMIC_DISPATCH(SiluMultiply)(gate, up, count);
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
