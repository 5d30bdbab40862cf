#include "metrics/weights/weight_sketch.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cassert>
#include <cmath>
#include <functional>
#include <limits>

namespace moescope {
namespace {

constexpr std::size_t sign_words = sketch_size / 64;
constexpr std::size_t words_of_a_block = sign_words + 1;

/// Word `counter`, from 0, of splitmix64 seeded with `key` (Steele, Lea and Flood 2014; Vigna's constants).
std::uint64_t random_word(std::uint64_t key, std::uint64_t counter) {
  std::uint64_t word = key + (counter + 1) * 0x9e3779b97f4a7c15;
  word = (word ^ (word >> 30)) * 0xbf58476d1ce4e5b9;
  word = (word ^ (word >> 27)) * 0x94d049bb133111eb;
  return word ^ (word >> 31);
}

float as_float(float element) {
  return element;
}
float as_float(std::uint16_t element) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(element) << 16);
}

/// A window of blocks in single precision. Rotated blocks run over the end of the sketch: where it would
/// start again, a second half goes on.
using Window = std::array<float, 2 * sketch_size>;

template <class Element>
void add_block(const SketchSigns& signs, std::span<const Element> elements, Window& window) {
  for (std::size_t i = 0; i < elements.size(); ++i) {
    const auto sign = static_cast<std::uint32_t>(signs.minus[i / 64] >> i % 64) << 31;
    window[signs.rotation + i] +=
        std::bit_cast<float>(std::bit_cast<std::uint32_t>(as_float(elements[i])) ^ sign);
  }
}

/// Adds at most a window of blocks.
template <class Element>
void add_blocks(std::uint64_t key, std::uint64_t first_block, std::span<const Element> elements,
                double* sums) {
  Window window{};
  for (std::size_t first = 0; first < elements.size(); first += sketch_size) {
    const auto block = elements.subspan(first, std::min(sketch_size, elements.size() - first));
    add_block(sketch_signs(key, first_block + first / sketch_size), block, window);
  }
  for (std::size_t j = 0; j < sketch_size; ++j)
    sums[j] += static_cast<double>(window[j]) + static_cast<double>(window[j + sketch_size]);
}

template <class Element>
void add_windows(std::uint64_t key, std::uint64_t first_block, std::span<const Element> elements,
                 double* sums) {
  constexpr std::size_t window_blocks = sketch_window / sketch_size;
  while (!elements.empty()) {
    const std::size_t blocks = window_blocks - first_block % window_blocks;
    const std::size_t count = std::min(elements.size(), blocks * sketch_size);
    add_blocks(key, first_block, elements.first(count), sums);
    elements = elements.subspan(count), first_block += blocks;
  }
}

/// Sum of term(a_i, b_i), in lanes, so that the compiler may use vectors.
template <class Term>
double sum_of(std::span<const float> a, std::span<const float> b, Term term) {
  assert(a.size() == sketch_size && b.size() == sketch_size);
  constexpr std::size_t lanes = 8;
  double sums[lanes] = {};
  for (std::size_t i = 0; i < sketch_size; i += lanes) {
    for (std::size_t lane = 0; lane < lanes; ++lane)
      sums[lane] += term(static_cast<double>(a[i + lane]), static_cast<double>(b[i + lane]));
  }
  return ((sums[0] + sums[4]) + (sums[2] + sums[6])) + ((sums[1] + sums[5]) + (sums[3] + sums[7]));
}

/// `one_over_sqrt_m`: what is to be multiplied by 1 / sqrt(m), unless nothing was added to anything.
SketchEstimate estimate(double value, double one_over_sqrt_m, std::int64_t element_count) {
  const auto m = static_cast<std::int64_t>(sketch_size);
  if (element_count <= m && std::isfinite(value)) return {value, 0};
  return {value, one_over_sqrt_m / std::sqrt(static_cast<double>(m))};
}

}  // namespace

/// FNV-1a of the name, then mixed with the seed.
std::uint64_t sketch_key(std::string_view tensor_name, std::uint64_t seed) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char letter : tensor_name) hash = (hash ^ static_cast<unsigned char>(letter)) * 0x100000001b3;
  return random_word(hash, seed);
}

SketchSigns sketch_signs(std::uint64_t key, std::uint64_t block) {
  SketchSigns signs;
  const std::uint64_t counter = block * words_of_a_block;
  for (std::size_t word = 0; word < sign_words; ++word) signs.minus[word] = random_word(key, counter + word);
  signs.rotation = random_word(key, counter + sign_words) >> 54;
  return signs;
}

void WeightSketch::add(std::uint64_t key, std::size_t first_block, std::span<const float> elements) {
  add_windows(key, first_block, elements, sums.data());
}

void WeightSketch::add(std::uint64_t key, std::size_t first_block, std::span<const std::uint16_t> elements) {
  add_windows(key, first_block, elements, sums.data());
}

void WeightSketch::merge(const WeightSketch& other) {
  std::transform(sums.begin(), sums.end(), other.sums.begin(), sums.begin(), std::plus<>());
}

std::vector<float> WeightSketch::values() const {
  return {sums.begin(), sums.end()};
}

SketchEstimate estimated_squared_distance(std::span<const float> a, std::span<const float> b,
                                          std::int64_t element_count) {
  const double square = sum_of(a, b, [](double x, double y) { return (x - y) * (x - y); });
  return estimate(square, square * std::sqrt(2.0), element_count);
}

}  // namespace moescope
