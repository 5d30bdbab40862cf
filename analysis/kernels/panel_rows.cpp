#include "analysis/kernels/panel_rows.h"

// Fixed-size vectors only: they live in arrays.
#define HWY_DISABLED_TARGETS (HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128 | HWY_RVV)
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "analysis/kernels/panel_rows.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h

#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace moescope {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// Width by Width numbers, a row in each register.
template <std::size_t Width>
struct Square {
  using Floats = hn::CappedTag<float, Width>;
  using Vector = hn::Vec<Floats>;
  static_assert(hn::MaxLanes(Floats()) == Width);
  Vector row[Width];

  /// Even numbers of all rows, then odd ones: after as many steps as a row's index has bits, each is where
  /// its mirror image was.
  HWY_INLINE void transpose() {
#if HWY_TARGET != HWY_SCALAR  // whose squares are single numbers
#pragma GCC unroll 4
    for (std::size_t step = 1; step < Width; step *= 2) {
      Vector sorted[Width];
#pragma GCC unroll 8
      for (std::size_t r = 0; r < Width / 2; ++r) {
        sorted[r] = hn::ConcatEven(Floats(), row[2 * r + 1], row[2 * r]);
        sorted[r + Width / 2] = hn::ConcatOdd(Floats(), row[2 * r + 1], row[2 * r]);
      }
#pragma GCC unroll 16
      for (std::size_t r = 0; r < Width; ++r) row[r] = sorted[r];
    }
#endif
  }

  HWY_INLINE void load_panel(const float* panel) {
#pragma GCC unroll 16
    for (std::size_t r = 0; r < Width; ++r) row[r] = hn::Load(Floats(), panel + r * panel_lanes);
  }
  HWY_INLINE void store_panel(float* panel) const {
#pragma GCC unroll 16
    for (std::size_t r = 0; r < Width; ++r) hn::Store(row[r], Floats(), panel + r * panel_lanes);
  }
  HWY_INLINE void load_rows(const float* const* rows, std::size_t at) {
#pragma GCC unroll 16
    for (std::size_t r = 0; r < Width; ++r)
      row[r] = rows[r] == nullptr ? hn::Zero(Floats()) : hn::LoadU(Floats(), rows[r] + at);
  }
  HWY_INLINE void store_rows(float* const* rows, std::size_t at) const {
#pragma GCC unroll 16
    for (std::size_t r = 0; r < Width; ++r) {
      if (rows[r] != nullptr) hn::StoreU(row[r], Floats(), rows[r] + at);
    }
  }
};

/// One number at a time.
template <>
struct Square<1> {
  float value;
  HWY_INLINE void transpose() {}
  HWY_INLINE void load_panel(const float* panel) { value = *panel; }
  HWY_INLINE void store_panel(float* panel) const { *panel = value; }
  HWY_INLINE void load_rows(const float* const* rows, std::size_t at) { value = *rows ? (*rows)[at] : 0.0f; }
  HWY_INLINE void store_rows(float* const* rows, std::size_t at) const {
    if (*rows != nullptr) (*rows)[at] = value;
  }
};

/// From rows into a panel.
struct IntoPanel {
  const LaneRows<const float>& rows;
  float* panel;
  template <std::size_t Width>
  HWY_INLINE void move(std::size_t at, std::size_t lane) const {
    Square<Width> square;
    square.load_rows(rows.data() + lane, at);
    square.transpose();
    square.store_panel(panel + at * panel_lanes + lane);
  }
};

/// And back.
struct IntoRows {
  const float* panel;
  const LaneRows<float>& rows;
  template <std::size_t Width>
  HWY_INLINE void move(std::size_t at, std::size_t lane) const {
    Square<Width> square;
    square.load_panel(panel + at * panel_lanes + lane);
    square.transpose();
    square.store_rows(rows.data() + lane, at);
  }
};

/// As many whole squares as there are from `at` on, across all lanes; returns where the rest begins.
template <std::size_t Width, class Move>
HWY_INLINE std::size_t move_squares(const Move& to, std::size_t at, std::size_t count) {
  if constexpr (Width == 1 || hn::MaxLanes(hn::CappedTag<float, Width>()) == Width) {
    for (; at + Width <= count; at += Width) {
      for (std::size_t lane = 0; lane < panel_lanes; lane += Width) to.template move<Width>(at, lane);
    }
  }
  return at;
}

template <class Move>
HWY_INLINE void move_all(const Move& to, std::size_t count) {
  std::size_t at = move_squares<16>(to, 0, count);
  at = move_squares<8>(to, at, count);
  at = move_squares<4>(to, at, count);
  move_squares<1>(to, at, count);
}

void RowsToPanel(const LaneRows<const float>& rows, std::size_t count, float* panel) {
  move_all(IntoPanel{rows, panel}, count);
}

void PanelToRows(const float* panel, std::size_t count, const LaneRows<float>& rows) {
  move_all(IntoRows{panel, rows}, count);
}

}  // namespace HWY_NAMESPACE
}  // namespace moescope
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace moescope {

HWY_EXPORT(RowsToPanel);
HWY_EXPORT(PanelToRows);

void rows_to_panel(const LaneRows<const float>& rows, std::size_t count, float* panel) {
  HWY_DYNAMIC_DISPATCH(RowsToPanel)(rows, count, panel);
}

void panel_to_rows(const float* panel, std::size_t count, const LaneRows<float>& rows) {
  HWY_DYNAMIC_DISPATCH(PanelToRows)(panel, count, rows);
}

}  // namespace moescope
#endif  // HWY_ONCE
