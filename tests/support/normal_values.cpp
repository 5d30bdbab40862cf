#include "tests/support/normal_values.h"

#include <algorithm>
#include <array>
#include <bit>
#include <boost/math/special_functions/erf.hpp>
#include <cstring>
#include <numbers>
#include <stdexcept>

#include "tests/support/special_values.h"

namespace moescope {
namespace {

constexpr std::size_t quantile_count = 65536;
using Quantiles = std::array<float, quantile_count>;
using Block = std::array<float, NormalValues::block_elements>;

// At the middle of each of 65,536 equal shares of the standard normal distribution.
Quantiles make_quantiles() {
  Quantiles quantiles;
  for (std::size_t i = 0; i < quantile_count; ++i) {
    const double share = (static_cast<double>(i) + 0.5) / quantile_count;
    quantiles[i] = static_cast<float>(std::numbers::sqrt2 * boost::math::erf_inv(2 * share - 1));
  }
  return quantiles;
}

const Quantiles& normal_quantiles() {
  static const Quantiles quantiles = make_quantiles();
  return quantiles;
}

// SplitMix64 (Steele, Lea, Flood 2014): number `counter` of the sequence that starts at `key`.
std::uint64_t random_word(std::uint64_t key, std::uint64_t counter) {
  std::uint64_t word = key + (counter + 1) * 0x9E3779B97F4A7C15;
  word = (word ^ word >> 30) * 0xBF58476D1CE4E5B9;
  word = (word ^ word >> 27) * 0x94D049BB133111EB;
  return word ^ word >> 31;
}

std::uint64_t key_of(std::uint64_t seed, std::string_view name, std::uint64_t change) {
  std::uint64_t key = random_word(seed, change);
  for (const char c : name) key = random_word(key ^ static_cast<unsigned char>(c), 0);
  return key;
}

template <class Element>
void store_rounded(std::span<const float> values, Element (*round)(float), std::byte* bytes) {
  std::array<Element, NormalValues::block_elements> rounded;
  std::transform(values.begin(), values.end(), rounded.begin(), round);
  std::memcpy(bytes, rounded.data(), sizeof(Element) * values.size());
}

}  // namespace

static_assert(std::endian::native == std::endian::little);

NormalValues::NormalValues(std::uint64_t seed, std::string_view name, const Distribution& distribution,
                           DType dtype)
    : mean_(static_cast<float>(distribution.mean)), dtype_(dtype) {
  const bool is_float8 = dtype == DType::f8_e4m3;
  if (dtype != DType::bf16 && dtype != DType::f32 && !is_float8)
    throw std::invalid_argument("only BF16, F32 and F8_E4M3 are made");
  if (is_float8 && distribution.changes > 0) throw std::invalid_argument("F8_E4M3 is not changed");
  terms_.push_back({key_of(seed, name, 0), static_cast<float>(distribution.deviation)});
  const auto change = static_cast<float>(distribution.deviation * distribution.change);
  for (std::size_t i = 1; i <= distribution.changes; ++i) terms_.push_back({key_of(seed, name, i), change});
  if (dtype == DType::f32 || distribution.changes > 0) return;
  encoded_.reserve(quantile_count);
  for (const float quantile : normal_quantiles()) {
    const float value = mean_ + terms_.front().deviation * quantile;
    encoded_.push_back(is_float8 ? to_e4m3(value) : to_bf16(value));
  }
}

// Whole words, four elements each.
template <class Element>
void NormalValues::fill_unchanged(std::uint64_t first, std::span<std::byte> bytes) const {
  constexpr unsigned bits = 8 * sizeof(Element);
  const std::uint64_t key = terms_.front().key;
  const std::uint16_t* encoded = encoded_.data();
  for (std::size_t i = 0; i < bytes.size() / (4 * sizeof(Element)); ++i) {
    const std::uint64_t word = random_word(key, first / 4 + i);
    const std::uint64_t low = encoded[word & 0xFFFF] | std::uint32_t{encoded[word >> 16 & 0xFFFF]} << bits;
    const std::uint64_t high = encoded[word >> 32 & 0xFFFF] | std::uint32_t{encoded[word >> 48]} << bits;
    const std::uint64_t elements = low | high << 2 * bits;
    std::memcpy(bytes.data() + 4 * sizeof(Element) * i, &elements, 4 * sizeof(Element));
  }
}

// As many values as fill whole words.
void NormalValues::fill_block(std::uint64_t first, std::span<float> values) const {
  const Quantiles& quantiles = normal_quantiles();
  std::fill(values.begin(), values.end(), mean_);
  for (const Term& term : terms_) {
    for (std::size_t i = 0; i < values.size(); i += 4) {
      const std::uint64_t word = random_word(term.key, (first + i) / 4);
      for (std::size_t k = 0; k < 4; ++k)
        values[i + k] += term.deviation * quantiles[word >> 16 * k & 0xFFFF];
    }
  }
}

void NormalValues::fill(std::uint64_t first, std::span<std::byte> bytes) const {
  const std::size_t element = dtype_bytes(dtype_, 1);
  std::size_t done = 0;
  if (!encoded_.empty()) {
    done = bytes.size() / (4 * element) * (4 * element);
    if (dtype_ == DType::bf16) fill_unchanged<std::uint16_t>(first, bytes.first(done));
    if (dtype_ == DType::f8_e4m3) fill_unchanged<std::uint8_t>(first, bytes.first(done));
  }
  Block block;
  while (done < bytes.size()) {
    const std::size_t count = std::min(block_elements, (bytes.size() - done) / element);
    fill_block(first + done / element, std::span(block).first((count + 3) / 4 * 4));
    if (dtype_ == DType::bf16) store_rounded(std::span(block).first(count), to_bf16, bytes.data() + done);
    if (dtype_ == DType::f8_e4m3) store_rounded(std::span(block).first(count), to_e4m3, bytes.data() + done);
    if (dtype_ == DType::f32) std::memcpy(bytes.data() + done, block.data(), count * element);
    done += count * element;
  }
}

}  // namespace moescope
