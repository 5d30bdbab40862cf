#pragma once
/// The innermost loop of every matrix product, compiled for several instruction sets and chosen at run time.
///
/// y += w x, with the activations of 16 tokens side by side in vector registers and the weights broadcast. A
/// token is a lane: its numbers do not depend on the other lanes, nor on how the work is cut into blocks.
///
/// Every output is one chain of fused multiply-adds in float32. Columns enter in pairs, the second of each
/// pair first: the order of AVX512_BF16's dot product (VDPBF16PS in Intel's Software Developer's Manual),
/// which adds two links to the chain at once. So bfloat16 values give the same bytes on every processor with
/// fused multiply-add, whether they are multiplied as such or as float32. One difference remains: VDPBF16PS
/// treats subnormal numbers (below 1.2e-38) as zero.
///
/// Thread-safe: pure functions of their arguments. Activations and outputs are 64-byte aligned.

#include <cstddef>
#include <cstdint>

namespace moescope {

/// Tokens of one panel.
inline constexpr std::size_t panel_lanes = 16;

/// The upper half of a float32.
enum class Bfloat16 : std::uint16_t {};

/// Whether products of bfloat16 run on AVX512_BF16 here; elsewhere their operands are expanded to float32.
bool has_native_bfloat16();

/// Where the panels of a product lie: panel p of the activations at x + p x_stride, of the outputs, (rows,
/// 16), at y + p y_stride.
template <class Element>
struct ProductPanels {
  const Element* x;
  std::size_t x_stride;
  float* y;
  std::size_t y_stride;
};

/// y += w x for `tokens` tokens, 16 to a panel. w: (rows, depth) with `stride` elements from row to row; a
/// panel of x is (depth, 16). Lanes of the last panel that hold no token may be computed or not.
void accumulate_product(const float* w, std::size_t stride, std::size_t rows, std::size_t depth,
                        const ProductPanels<float>& panels, std::size_t tokens);

/// The same with panels of x as (ceil(depth / 2), 16, 2): two columns of a token are neighbours in memory,
/// and an odd last column is paired with zeros. Only where has_native_bfloat16().
void accumulate_product(const Bfloat16* w, std::size_t stride, std::size_t rows, std::size_t depth,
                        const ProductPanels<Bfloat16>& panels, std::size_t tokens);

/// A panel x (depth, 16) as the products take it: rounded to bfloat16 values, or as pairs of them.
void round_panel(const float* x, std::size_t depth, float* rounded);
void round_panel(const float* x, std::size_t depth, Bfloat16* pairs);
/// The pairs as a panel of floats again.
void expand_panel(const Bfloat16* pairs, std::size_t depth, float* x);

/// Some rows of stored bfloat16 elements as float32, exactly. Row r of the source begins `source_stride`
/// bytes after row r - 1, at any address; of the values, `stride` elements.
void expand_bfloat16(const std::byte* source, std::size_t source_stride, std::size_t rows,
                     std::size_t columns, float* values, std::size_t stride);

/// Stored F8_E4M3 elements, at any address, each times `scale`, rounded to float32.
void expand_float8(const std::byte* source, std::size_t count, float scale, float* values);
/// The same, cut to bfloat16: for scales that give bfloat16 numbers.
void expand_float8(const std::byte* source, std::size_t count, float scale, Bfloat16* values);

}  // namespace moescope
