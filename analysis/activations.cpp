#include "analysis/activations.h"

#include "analysis/parallel.h"

namespace moescope {
namespace {

/// Features transposed at a time: the 16 source rows stay in the first-level cache meanwhile.
constexpr std::size_t pack_features = 256;

template <class RowOf>
TokenPanels pack(ThreadPool& threads, const Matrix& source, std::size_t tokens, Precision precision,
                 RowOf row_of) {
  TokenPanels packed(tokens, source.columns);
  threads.for_each(packed.panels(), [&](std::size_t p, unsigned) {
    float* panel = packed.panel(p);
    for (std::size_t begin = 0; begin < source.columns; begin += pack_features) {
      const std::size_t end = std::min(begin + pack_features, source.columns);
      for (std::size_t lane = 0; lane < packed.lanes(p); ++lane) {
        const float* row = source.row(row_of(p * panel_lanes + lane)).data();
        for (std::size_t f = begin; f < end; ++f) panel[f * panel_lanes + lane] = row[f];
      }
    }
    if (precision == Precision::bf16) round_to_bfloat16(panel, source.columns * panel_lanes);
  });
  return packed;
}

}  // namespace

TokenPanels pack_panels(ThreadPool& threads, const Matrix& source, Precision precision) {
  return pack(threads, source, source.rows, precision, [](std::size_t token) { return token; });
}

TokenPanels pack_panels(ThreadPool& threads, const Matrix& source, std::span<const std::size_t> rows,
                        Precision precision) {
  return pack(threads, source, rows.size(), precision, [rows](std::size_t token) { return rows[token]; });
}

}  // namespace moescope
