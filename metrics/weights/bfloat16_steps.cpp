#include "metrics/weights/bfloat16_steps.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <limits>
#include <numeric>
#include <utility>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace moescope {
namespace {

constexpr std::int32_t middle = step_bins_of_a_sign;
constexpr std::int32_t first_range = 16;  // step counts below it have a bin each
constexpr std::int32_t step_limit = 65536;

std::int32_t bin_of(std::int32_t steps) {
  const std::int32_t size = std::abs(steps);
  const std::int32_t octaves =  // above first_range
      static_cast<std::int32_t>(std::bit_width(static_cast<std::uint32_t>(size / first_range))) - 1;
  const std::int32_t from_middle = size < first_range ? size : first_range + octaves;
  return middle + (steps < 0 ? -from_middle : from_middle);
}

/// A byte for the bin of a pair: how far from the middle, and this bit for steps downwards. The bit alone,
/// which no step count has, stands for a non-finite element.
constexpr std::uint8_t downwards = 32;
constexpr std::size_t codes_in_use = 64;

/// Without a branch or a table, so that the compiler uses vectors: `negative` and `finite` have all bits set
/// or none, and the exponent of a float is the logarithm of an integer.
std::uint8_t step_code(std::uint16_t earlier, std::uint16_t later) {
  constexpr std::int32_t infinity = 0x7f80, float_bias = 127, last_alone = first_range - 1;
  const auto magnitude = [](std::uint16_t element) -> std::int32_t { return element & 0x7fff; };
  const auto place = [&](std::uint16_t element) {
    const std::int32_t negative = -(element >> 15);
    return (magnitude(element) ^ negative) - negative;
  };
  const std::int32_t steps = place(later) - place(earlier), size = std::abs(steps);
  const std::int32_t logarithm = (std::bit_cast<std::int32_t>(static_cast<float>(size)) >> 23) - float_bias;
  const std::int32_t from_middle = std::min(size, last_alone) + std::max(logarithm - 3, 0);  // 2^4: a range
  const std::int32_t code = from_middle | ((steps >> 31) & downwards);
  const std::int32_t finite = ((magnitude(earlier) - infinity) & (magnitude(later) - infinity)) >> 31;
  return static_cast<std::uint8_t>((code & finite) | (downwards & ~finite));
}

constexpr std::size_t block_size = 512;  // elements between whose codes are made and counted
using Codes = std::array<std::uint8_t, block_size>;
/// Codes of `count` pairs, in any order.
using MakeCodes = void (*)(const std::uint16_t* earlier, const std::uint16_t* later, std::size_t count,
                           Codes& codes);

void make_codes(const std::uint16_t* earlier, const std::uint16_t* later, std::size_t count, Codes& codes) {
  for (std::size_t i = 0; i < count; ++i) codes[i] = step_code(earlier[i], later[i]);
}

#if defined(__x86_64__)
#define MOESCOPE_AVX2 __attribute__((target("avx2")))

/// 16 pairs, in 16-bit lanes.
struct StepVector {
  __m256i size, downwards, nonfinite;  // unsigned; all bits set or none
};

MOESCOPE_AVX2 inline __m256i places(__m256i elements, __m256i magnitudes) {
  const __m256i negative = _mm256_srai_epi16(elements, 15);
  return _mm256_sub_epi16(_mm256_xor_si256(magnitudes, negative), negative);
}

MOESCOPE_AVX2 inline StepVector step_vector(const std::uint16_t* earlier, const std::uint16_t* later) {
  const __m256i from = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(earlier));
  const __m256i to = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(later));
  const __m256i below_sign = _mm256_set1_epi16(0x7fff), largest_finite = _mm256_set1_epi16(0x7f7f);
  const __m256i size_from = _mm256_and_si256(from, below_sign), size_to = _mm256_and_si256(to, below_sign);
  const __m256i start = places(from, size_from), end = places(to, size_to);
  return {_mm256_sub_epi16(_mm256_max_epi16(start, end), _mm256_min_epi16(start, end)),
          _mm256_cmpgt_epi16(start, end),
          _mm256_cmpgt_epi16(_mm256_max_epi16(size_from, size_to), largest_finite)};
}

/// What a half-byte of a step count says about the distance from the middle bin, for the four half-bytes from
/// the lowest; the largest of the four is right.
alignas(16) constexpr std::uint8_t step_distances[4][16] = {
    {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
    {0, 16, 17, 17, 18, 18, 18, 18, 19, 19, 19, 19, 19, 19, 19, 19},
    {0, 20, 21, 21, 22, 22, 22, 22, 23, 23, 23, 23, 23, 23, 23, 23},
    {0, 24, 25, 25, 26, 26, 26, 26, 27, 27, 27, 27, 27, 27, 27, 27}};

MOESCOPE_AVX2 inline __m256i distance_by_half_byte(std::size_t place, __m256i half_bytes) {
  const __m128i table = _mm_load_si128(reinterpret_cast<const __m128i*>(step_distances[place]));
  return _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(table),
                             _mm256_and_si256(half_bytes, _mm256_set1_epi8(15)));
}

/// The largest distance that the two half-bytes of each byte stand for, of which `place` is the lower.
MOESCOPE_AVX2 inline __m256i distance_by_byte(std::size_t place, __m256i bytes) {
  return _mm256_max_epu8(distance_by_half_byte(place, bytes),
                         distance_by_half_byte(place + 1, _mm256_srli_epi16(bytes, 4)));
}

/// The codes of two vectors as bytes, in an order of the processor's own.
MOESCOPE_AVX2 inline __m256i codes_of(const StepVector& a, const StepVector& b) {
  const __m256i low_byte = _mm256_set1_epi16(0xff), down = _mm256_set1_epi8(downwards);
  const __m256i low =
      _mm256_packus_epi16(_mm256_and_si256(a.size, low_byte), _mm256_and_si256(b.size, low_byte));
  const __m256i high = _mm256_packus_epi16(_mm256_srli_epi16(a.size, 8), _mm256_srli_epi16(b.size, 8));
  const __m256i distance = _mm256_max_epu8(distance_by_byte(0, low), distance_by_byte(2, high));
  const __m256i sign = _mm256_and_si256(_mm256_packs_epi16(a.downwards, b.downwards), down);
  const __m256i nonfinite = _mm256_packs_epi16(a.nonfinite, b.nonfinite);
  return _mm256_blendv_epi8(_mm256_or_si256(distance, sign), down, nonfinite);
}

MOESCOPE_AVX2 void make_codes_avx2(const std::uint16_t* earlier, const std::uint16_t* later,
                                   std::size_t count, Codes& codes) {
  const std::size_t whole = count - count % sizeof(__m256i);
  for (std::size_t i = 0; i < whole; i += sizeof(__m256i)) {
    const __m256i made =
        codes_of(step_vector(earlier + i, later + i),
                 step_vector(earlier + i + sizeof(__m256i) / 2, later + i + sizeof(__m256i) / 2));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(&codes[i]), made);
  }
  for (std::size_t i = whole; i < count; ++i) codes[i] = step_code(earlier[i], later[i]);
}

MakeCodes widest_make_codes() {
  return __builtin_cpu_supports("avx2") ? make_codes_avx2 : make_codes;
}
#else
MakeCodes widest_make_codes() {
  return make_codes;
}
#endif

/// Most elements of slow training fall into one bin: eight counters of it take turns, so that none waits for
/// its own last increment. Counting all pairs of neighbouring codes, with half the increments, gains a fifth
/// in long calls and loses it in short ones.
constexpr std::size_t counters = 8;
using CounterTable = std::array<std::array<std::uint32_t, codes_in_use>, counters>;
constexpr std::size_t piece_size = std::size_t{1} << 30;  // elements that no counter of a table overflows at

void count_codes(const Codes& codes, std::size_t count, CounterTable& table) {
  const std::size_t whole = count - count % counters;
  for (std::size_t i = 0; i < whole; i += counters) {
    std::uint64_t eight;  // one load: increments are all that takes time
    std::memcpy(&eight, &codes[i], sizeof eight);
#pragma GCC unroll 8
    for (std::size_t k = 0; k < counters; ++k) ++table[k][eight >> 8 * k & 0xff];
  }
  for (std::size_t i = whole; i < count; ++i) ++table[0][codes[i]];
}

CounterTable count_piece(std::span<const std::uint16_t> earlier, std::span<const std::uint16_t> later) {
  static const MakeCodes make = widest_make_codes();
  CounterTable table{};
  Codes codes;
  for (std::size_t first = 0; first < earlier.size(); first += block_size) {
    const std::size_t count = std::min(block_size, earlier.size() - first);
    make(&earlier[first], &later[first], count, codes);
    count_codes(codes, count, table);
  }
  return table;
}

}  // namespace

StepRange step_range(std::size_t bin) {
  assert(bin < step_bins);
  const std::int32_t from_middle = static_cast<std::int32_t>(bin) - middle;
  const std::int32_t size = std::abs(from_middle), sign = from_middle < 0 ? -1 : 1;
  if (size < first_range) return {from_middle, from_middle};
  const std::int32_t nearest = first_range << (size - first_range);
  return {sign * nearest, sign * (2 * nearest - 1)};
}

std::size_t step_bin(std::int32_t steps) {
  assert(std::abs(steps) < step_limit);
  return static_cast<std::size_t>(bin_of(steps));
}

void Bfloat16Steps::add(std::span<const std::uint16_t> earlier, std::span<const std::uint16_t> later) {
  assert(earlier.size() == later.size());
  for (std::size_t first = 0; first < earlier.size(); first += piece_size) {
    const std::size_t count = std::min(piece_size, earlier.size() - first);
    const CounterTable table = count_piece(earlier.subspan(first, count), later.subspan(first, count));
    std::array<std::int64_t, codes_in_use> totals{};
    for (const auto& row : table)
      std::transform(totals.begin(), totals.end(), row.begin(), totals.begin(), std::plus<>());
    nonfinite_count += std::exchange(totals[downwards], 0);
    for (std::size_t distance = 0; distance <= step_bins_of_a_sign; ++distance) {
      counts[step_bins_of_a_sign + distance] += totals[distance];
      counts[step_bins_of_a_sign - distance] += totals[downwards + distance];
    }
  }
}

void Bfloat16Steps::merge(const Bfloat16Steps& other) {
  std::transform(counts.begin(), counts.end(), other.counts.begin(), counts.begin(), std::plus<>());
  nonfinite_count += other.nonfinite_count;
}

double fraction_changed(const Bfloat16Steps& steps) {
  const std::int64_t all = std::accumulate(steps.counts.begin(), steps.counts.end(), std::int64_t{0});
  if (all == 0) return std::numeric_limits<double>::quiet_NaN();
  return static_cast<double>(all - steps.counts[middle]) / static_cast<double>(all);
}

}  // namespace moescope
