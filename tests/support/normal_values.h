#pragma once
/// Normally distributed elements at the speed of memory.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "readers/storage/dtype.h"

namespace moescope {

/// The elements of one tensor. Each depends only on the seed, the tensor's name, its position and the number
/// of changes: the source is a counter, not a sequence. 16 random bits choose one of 65,536 quantiles of the
/// normal distribution, so that nothing lies beyond 4.3 standard deviations and the moments are exact to
/// 1e-4.
class NormalValues {
 public:
  struct Distribution {
    double mean = 0, deviation = 1;
    std::size_t changes = 0;  // how often the tensor has been changed by a random tensor of its own ...
    double change = 0;        // ... with this deviation, relative to `deviation`
  };

  /// `dtype` is bf16, f32 or, without changes, f8_e4m3, else throws std::invalid_argument.
  NormalValues(std::uint64_t seed, std::string_view name, const Distribution& distribution, DType dtype);

  /// Elements from number `first`, a multiple of block_elements, as little-endian bytes. `bytes` holds whole
  /// elements.
  void fill(std::uint64_t first, std::span<std::byte> bytes) const;

  static constexpr std::size_t block_elements = 4096;

 private:
  template <class Element>
  void fill_unchanged(std::uint64_t first, std::span<std::byte> bytes) const;
  void fill_block(std::uint64_t first, std::span<float> values) const;

  struct Term {
    std::uint64_t key;
    float deviation;
  };
  std::vector<Term> terms_;             // the tensor is the mean plus these
  std::vector<std::uint16_t> encoded_;  // the quantiles as elements; empty where they do not suffice
  float mean_;
  DType dtype_;
};

}  // namespace moescope
