#include "metrics/weights/bfloat16_histogram.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>

#include "metrics/statistics.h"

namespace moescope {
namespace {

constexpr std::size_t infinity = 0x7f80, sign = 0x8000;

/// The patterns of one sign and exponent. Most of them are empty in any tensor.
constexpr std::size_t octave_size = 128;
using Octave = std::span<const std::int64_t, octave_size>;

Octave octave_at(const Bfloat16Histogram& histogram, std::size_t first) {
  return Octave(&histogram.counts[first], octave_size);
}

/// First patterns of the octaves that have elements, ascending.
std::vector<std::size_t> octaves_in_use(const Bfloat16Histogram& histogram) {
  std::vector<std::size_t> found;
  for (std::size_t first = 0; first < bfloat16_patterns; first += octave_size) {
    std::int64_t any = 0;
    for (const std::int64_t count : octave_at(histogram, first)) any |= count;
    if (any != 0) found.push_back(first);
  }
  return found;
}

std::int64_t count_of(Octave octave) {
  return std::accumulate(octave.begin(), octave.end(), std::int64_t{0});
}

/// The finite part of a histogram.
struct FiniteBins {
  const Bfloat16Histogram* histogram = nullptr;
  std::vector<std::size_t> octaves;  // first patterns, ascending
  std::int64_t element_count = 0;
};

FiniteBins finite_bins(const Bfloat16Histogram& histogram) {
  FiniteBins finite{&histogram, {}, 0};
  for (const std::size_t first : octaves_in_use(histogram)) {
    if (first % sign == infinity) continue;
    finite.octaves.push_back(first);
    finite.element_count += count_of(octave_at(histogram, first));
  }
  return finite;
}

/// Sum of term(value) over the elements: of an octave in lanes, so that the compiler may use vectors, then
/// compensated. Sums of values and of their squares are exact within an octave: a value has 8 bits.
template <class Term>
double sum_of(const FiniteBins& bins, Term term) {
  constexpr std::size_t lanes = 8;
  CompensatedSum total;
  for (const std::size_t first : bins.octaves) {
    const Octave counts = octave_at(*bins.histogram, first);
    double sums[lanes] = {};
    // Evenly spaced, denormals too: no value has to be taken from its bits.
    const double start = bfloat16_value(first), step = bfloat16_value(first + 1) - start;
    for (std::size_t i = 0; i < octave_size; i += lanes) {
      for (std::size_t lane = 0; lane < lanes; ++lane)
        sums[lane] +=
            static_cast<double>(counts[i + lane]) * term(start + static_cast<double>(i + lane) * step);
    }
    total.add(((sums[0] + sums[4]) + (sums[2] + sums[6])) + ((sums[1] + sums[5]) + (sums[3] + sums[7])));
  }
  return total.value();
}

struct Extremes {
  double min = std::numeric_limits<double>::infinity();
  double max = -std::numeric_limits<double>::infinity();
};

/// The ends of octaves are enough: an octave has one sign.
Extremes extremes(const FiniteBins& bins) {
  Extremes found;
  const auto note = [&](std::size_t pattern) {
    const double value = bfloat16_value(pattern) + 0.0;  // -0 is +0
    found.min = std::min(found.min, value), found.max = std::max(found.max, value);
  };
  const auto in_use = [](std::int64_t count) { return count > 0; };
  for (const std::size_t first : bins.octaves) {
    const Octave counts = octave_at(*bins.histogram, first);
    const auto smallest = std::find_if(counts.begin(), counts.end(), in_use);
    const auto largest = std::find_if(counts.rbegin(), counts.rend(), in_use);
    note(first + static_cast<std::size_t>(smallest - counts.begin()));
    note(first + static_cast<std::size_t>(counts.rend() - largest) - 1);
  }
  return found;
}

/// The finite magnitudes in order.
class OrderedMagnitudes {
 public:
  explicit OrderedMagnitudes(const FiniteBins& bins) : histogram_(*bins.histogram) {
    for (const std::size_t first : bins.octaves) octaves_.push_back(first % sign);
    std::ranges::sort(octaves_);
    octaves_.erase(std::unique(octaves_.begin(), octaves_.end()), octaves_.end());
    for (const std::size_t first : octaves_) {
      cumulative_.push_back(count() + count_of(octave_at(histogram_, first)) +
                            count_of(octave_at(histogram_, sign + first)));
    }
  }

  std::int64_t count() const { return cumulative_.empty() ? 0 : cumulative_.back(); }

  /// The magnitude of this rank, from 0.
  double at(std::int64_t rank) const {
    const auto octave = std::ranges::upper_bound(cumulative_, rank);
    std::int64_t up_to = octave == cumulative_.begin() ? 0 : *std::prev(octave);
    std::size_t pattern = octaves_[static_cast<std::size_t>(octave - cumulative_.begin())];
    while ((up_to += histogram_.counts[pattern] + histogram_.counts[sign + pattern]) <= rank) ++pattern;
    return bfloat16_value(pattern);
  }

 private:
  const Bfloat16Histogram& histogram_;
  std::vector<std::size_t> octaves_;      // first patterns without the sign, ascending
  std::vector<std::int64_t> cumulative_;  // elements up to and with each
};

double quantile(const OrderedMagnitudes& magnitudes, double probability) {
  assert(probability >= 0 && probability <= 1);
  const double position = probability * static_cast<double>(magnitudes.count() - 1);
  const auto rank = static_cast<std::int64_t>(position);
  const double fraction = position - static_cast<double>(rank);
  const double below = magnitudes.at(rank);
  return fraction == 0 ? below : std::lerp(below, magnitudes.at(rank + 1), fraction);
}

}  // namespace

void Bfloat16Histogram::add(std::span<const std::uint16_t> elements) {
  assert(counts.size() == bfloat16_patterns);
  for (const std::uint16_t element : elements) ++counts[element];
}

void Bfloat16Histogram::merge(const Bfloat16Histogram& other) {
  for (const std::size_t first : octaves_in_use(other)) {
    for (std::size_t i = first; i < first + octave_size; ++i) counts[i] += other.counts[i];
  }
}

void Bfloat16Histogram::clear() {
  std::fill(counts.begin(), counts.end(), 0);
}

double bfloat16_value(std::size_t pattern) {
  assert(pattern < bfloat16_patterns);
  return std::bit_cast<float>(static_cast<std::uint32_t>(pattern) << 16);
}

WeightStats weight_stats(const Bfloat16Histogram& histogram) {
  const FiniteBins finite = finite_bins(histogram);
  const std::int64_t nonfinite =
      count_of(octave_at(histogram, infinity)) + count_of(octave_at(histogram, sign + infinity));
  const std::int64_t all = finite.element_count + nonfinite;
  if (finite.element_count == 0) return {all, nonfinite, 0, 0, nan, nan, nan, nan, nan, nan, nan};
  const std::int64_t zeros = histogram.counts[0] + histogram.counts[sign];
  const std::int64_t below_normal = count_of(octave_at(histogram, 0)) + count_of(octave_at(histogram, sign));
  const auto count = static_cast<double>(finite.element_count);
  const double mean = sum_of(finite, [](double value) { return value; }) / count;
  const auto power = [&](double value) { return (value - mean) * (value - mean); };
  const double variance = sum_of(finite, power) / count;
  const double fourth = sum_of(finite, [&](double value) { return power(value) * power(value); }) / count;
  const auto [min, max] = extremes(finite);
  return {all,
          nonfinite,
          zeros,
          below_normal - zeros,
          std::sqrt(sum_of(finite, [](double value) { return value * value; })),
          mean,
          std::sqrt(variance),
          fourth / (variance * variance),
          std::max(-min, max) + 0.0,
          min,
          max};
}

void add_magnitude_counts(const Bfloat16Histogram& histogram, std::span<std::int64_t> counts) {
  assert(counts.size() == bfloat16_magnitudes);
  for (const std::size_t first : octaves_in_use(histogram)) {
    for (std::size_t i = 0; i < octave_size; ++i) counts[first % sign + i] += histogram.counts[first + i];
  }
}

std::vector<double> magnitude_quantiles(const Bfloat16Histogram& histogram,
                                        std::span<const double> probabilities) {
  const OrderedMagnitudes magnitudes(finite_bins(histogram));
  std::vector<double> result(probabilities.size(), std::numeric_limits<double>::quiet_NaN());
  if (magnitudes.count() == 0) return result;
  std::ranges::transform(probabilities, result.begin(),
                         [&](double probability) { return quantile(magnitudes, probability); });
  return result;
}

}  // namespace moescope
