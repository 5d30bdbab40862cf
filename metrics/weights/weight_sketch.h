#pragma once
/// A seeded linear sketch of a tensor: 1,024 numbers from which the distance of any two versions is
/// estimated when the versions themselves are gone.
///
/// The tug-of-war sketch of Alon, Matias and Szegedy (1996; for inner products with Gibbons, 2002) with one
/// place for each element, as in the count sketch of Charikar, Chen and Farach-Colton (2002). Block b, the
/// elements from 1,024 b on, has 1,024 random signs and one random rotation, in which it is added to the
/// sketch: sketch[(i + rotation_b) mod 1024] += sign_bi x_bi. Signs and rotations depend on the tensor's key
/// and the block alone: words of the generator splitmix64 seeded with the key, 17 a block, of which the first
/// 16 are the signs (bit 1: minus) and the highest 10 bits of the last are the rotation.
///
/// For any two tensors, over the choice of signs and rotations, estimates of squared distances and inner
/// products are unbiased; with m = 1,024 the stated standard errors are upper bounds, and close to the truth
/// for tensors of many blocks. Estimates are nearly normal, except where a handful of elements outweighs all
/// others: they then are nearly exact mostly, and rarely, when two such elements meet, far off. Tensors of
/// one block are exact. Rounding hides moves of less than about 3e-7 of the norm.
///
/// All functions are pure and thread-safe on different sketches.

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace moescope {

inline constexpr std::size_t sketch_size = 1024;  // m; also the elements of a block
/// Elements that are summed in float32, then in double; aligned windows of 64 blocks.
inline constexpr std::size_t sketch_window = 64 * sketch_size;

/// The same for all versions of a tensor, different for different tensors and seeds. Tensors of one shape
/// that are to be compared with each other can share the key of one of them; the errors of sums over such
/// tensors do not average out for certain.
std::uint64_t sketch_key(std::string_view tensor_name, std::uint64_t seed);

/// How block `block` of the tensor with this key enters the sketch.
struct SketchSigns {
  std::array<std::uint64_t, sketch_size / 64> minus{};  // element i of the block: bit i % 64 of word i / 64
  std::size_t rotation = 0;
};
SketchSigns sketch_signs(std::uint64_t key, std::uint64_t block);

struct WeightSketch {
  std::vector<double> sums = std::vector<double>(sketch_size);

  /// Adds the blocks from `first_block` on, of which only a tensor's last may be shorter than sketch_size.
  /// Pieces that start at multiples of sketch_window elements, added in order, give the same bytes as the
  /// whole tensor at once; any others, and merged sketches, the same up to rounding. Elements that are not
  /// finite make the sketch and all estimates from it non-finite.
  void add(std::uint64_t key, std::size_t first_block, std::span<const float> elements);
  /// bfloat16: bit patterns as stored, in the byte order of this machine.
  void add(std::uint64_t key, std::size_t first_block, std::span<const std::uint16_t> elements);
  void merge(const WeightSketch& other);
  /// Shape (sketch_size), as recorded and as taken by all estimates.
  std::vector<float> values() const;
};

struct SketchEstimate {
  double value = 0;
  double standard_error = 0;  // 0 where the sketch holds each element by itself
};

/// norm(A - B)²; standard error: itself times sqrt(2 / m), 4.4 %. `a` and `b` are sketches, (sketch_size)
/// each, with the same key, of versions A and B of a tensor of `element_count` elements; the sketch of a
/// difference is the difference of the sketches.
SketchEstimate estimated_squared_distance(std::span<const float> a, std::span<const float> b,
                                          std::int64_t element_count);

}  // namespace moescope
