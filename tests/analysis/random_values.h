#pragma once
/// Seeded random numbers for tests.

#include <cstdint>
#include <random>
#include <span>

namespace moescope {

inline void fill_normal(std::span<float> values, std::uint32_t seed, float scale = 1.0f) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> normal(0.0f, scale);
  for (float& value : values) value = normal(generator);
}

}  // namespace moescope
