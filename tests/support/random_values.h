#pragma once
/// Seeded random numbers for tests: the same ones for the same seed.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <random>
#include <span>
#include <vector>

namespace moescope {

/// Normally distributed floats or doubles.
template <class Value>
std::vector<Value> normal_values(std::size_t count, unsigned seed, Value deviation = 1, Value mean = 0) {
  std::mt19937 generator(seed);
  std::normal_distribution<Value> normal(mean, deviation);
  std::vector<Value> values(count);
  for (Value& value : values) value = normal(generator);
  return values;
}

/// The same into memory that is there.
inline void fill_normal(std::span<float> values, unsigned seed, float deviation = 1) {
  const std::vector<float> source = normal_values<float>(values.size(), seed, deviation);
  std::copy(source.begin(), source.end(), values.begin());
}

/// Any bit patterns: of bfloat16, every kind of number among them.
inline std::vector<std::uint16_t> random_patterns(std::size_t count, unsigned seed) {
  std::mt19937 generator(seed);
  std::vector<std::uint16_t> patterns(count);
  for (std::uint16_t& pattern : patterns) pattern = static_cast<std::uint16_t>(generator());
  return patterns;
}

}  // namespace moescope
