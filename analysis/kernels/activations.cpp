#include "analysis/kernels/activations.h"

#include <cassert>

#include "analysis/kernels/panel_rows.h"
#include "analysis/machine/parallel.h"

namespace moescope {
namespace {

template <class RowOf>
TokenPanels pack(ThreadPool& threads, const Matrix& source, std::size_t tokens, Precision precision,
                 RowOf row_of) {
  TokenPanels packed(tokens, source.columns, precision);
  threads.for_each(packed.panels(), [&](std::size_t p, unsigned) {
    alignas(cache_line) float block[panel_features * panel_lanes];  // (panel_features, 16)
    for (std::size_t begin = 0; begin < source.columns; begin += panel_features) {
      const std::size_t count = std::min(panel_features, source.columns - begin);
      LaneRows<const float> rows{};
      for (std::size_t lane = 0; lane < packed.lanes(p); ++lane)
        rows[lane] = source.row(row_of(p * panel_lanes + lane)).data() + begin;
      float* panel = precision == Precision::f32 ? packed.float_panel(p, begin) : block;
      rows_to_panel(rows, count, panel);
      packed.store(p, begin, count, panel);
    }
  });
  return packed;
}

}  // namespace

void add_bias(ThreadPool& threads, Matrix& y, std::span<const float> bias) {
  if (bias.empty()) return;
  for_each_row(threads, y.rows, [&](std::size_t r) {
    float* out = y.row(r).data();
    for (std::size_t i = 0; i < bias.size(); ++i) out[i] += bias[i];
  });
}

void add(ThreadPool& threads, const Matrix& x, Matrix& sum) {
  for_each_row(threads, x.rows, [&](std::size_t r) {
    const float* in = x.row(r).data();
    float* out = sum.row(r).data();
    for (std::size_t i = 0; i < x.columns; ++i) out[i] += in[i];
  });
}

Matrix Matrix::zero(std::size_t rows, std::size_t columns) {
  Matrix matrix(rows, columns);
  std::ranges::fill(matrix.values, 0.0f);
  return matrix;
}

PanelFormat panel_format(Precision precision) {
  return precision == Precision::bf16 && has_native_bfloat16() ? PanelFormat::pairs : PanelFormat::floats;
}

TokenPanels::TokenPanels(std::size_t token_count, std::size_t feature_count, Precision how)
    : tokens(token_count), features(feature_count), precision(how) {
  if (panel_format(how) == PanelFormat::pairs) {
    pairs.resize(panels() * (features + features % 2) * panel_lanes);
  } else {
    floats.resize(panels() * features * panel_lanes);
  }
}

std::size_t TokenPanels::stride(std::size_t f) const {
  const std::size_t all = paired() ? features + features % 2 : features;
  return std::min(panel_features, all - f / panel_features * panel_features) * panel_lanes;
}

std::size_t TokenPanels::place(std::size_t p, std::size_t f) const {
  const std::size_t before = f / panel_features * panel_features;
  return before * panels() * panel_lanes + p * stride(f) + (f - before) * panel_lanes;
}

void TokenPanels::store(std::size_t p, std::size_t f, std::size_t count, const float* x) {
  assert(f % panel_features + count <= panel_features);
  if (paired()) {
    round_panel(x, count, pairs.data() + place(p, f));
  } else if (precision == Precision::bf16) {
    round_panel(x, count, floats.data() + place(p, f));
  } else if (x != floats.data() + place(p, f)) {
    std::copy_n(x, count * panel_lanes, floats.data() + place(p, f));
  }
}

TokenPanels pack_panels(ThreadPool& threads, const Matrix& source, Precision precision) {
  return pack(threads, source, source.rows, precision, [](std::size_t token) { return token; });
}

TokenPanels pack_panels(ThreadPool& threads, const Matrix& source, std::span<const std::size_t> rows,
                        Precision precision) {
  return pack(threads, source, rows.size(), precision, [rows](std::size_t token) { return rows[token]; });
}

}  // namespace moescope
