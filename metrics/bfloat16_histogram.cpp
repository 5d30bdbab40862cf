#include "metrics/bfloat16_histogram.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <numeric>

namespace moescope {
namespace {

constexpr std::size_t least_normal = 0x0080, infinity = 0x7f80;
constexpr std::uint64_t magnitude_mask = 0x7fff;

/// Elements in the bins [first, last).
std::int64_t count_between(const Bfloat16Histogram& histogram, std::size_t first, std::size_t last) {
  const auto begin = histogram.counts.begin();
  return std::accumulate(begin + static_cast<std::ptrdiff_t>(first),
                         begin + static_cast<std::ptrdiff_t>(last), std::int64_t{0});
}

double largest_finite(const Bfloat16Histogram& histogram) {
  for (std::size_t bin = infinity; bin-- > 0;) {
    if (histogram.counts[bin] > 0) return bfloat16_magnitude(bin);
  }
  return std::numeric_limits<double>::quiet_NaN();
}

/// The magnitude of this rank, from 0; `cumulative`: elements up to and with each bin, (infinity).
double order_statistic(std::span<const std::int64_t> cumulative, std::int64_t rank) {
  const auto bin = std::upper_bound(cumulative.begin(), cumulative.end(), rank);
  return bfloat16_magnitude(static_cast<std::size_t>(bin - cumulative.begin()));
}

double quantile(std::span<const std::int64_t> cumulative, double probability) {
  assert(probability >= 0 && probability <= 1);
  const double position = probability * static_cast<double>(cumulative.back() - 1);
  const auto rank = static_cast<std::int64_t>(position);
  const double fraction = position - static_cast<double>(rank);
  const double below = order_statistic(cumulative, rank);
  return fraction == 0 ? below : std::lerp(below, order_statistic(cumulative, rank + 1), fraction);
}

}  // namespace

/// Two or four tables side by side, against waiting for a count that was just stored, gain nothing: weights
/// rarely repeat at once, and even a constant tensor takes no longer where stores are forwarded by renaming.
void Bfloat16Histogram::add(std::span<const std::uint16_t> elements) {
  assert(counts.size() == bfloat16_magnitudes);
  std::int64_t* const bins = counts.data();
  constexpr std::size_t at_once = sizeof(std::uint64_t) / sizeof(std::uint16_t);
  const std::size_t whole = elements.size() - elements.size() % at_once;
  for (std::size_t i = 0; i < whole; i += at_once) {  // one load for four: increments are all that takes time
    std::uint64_t four;
    std::memcpy(&four, elements.data() + i, sizeof four);
    ++bins[four & magnitude_mask];
    ++bins[four >> 16 & magnitude_mask];
    ++bins[four >> 32 & magnitude_mask];
    ++bins[four >> 48 & magnitude_mask];
  }
  for (const std::uint16_t element : elements.subspan(whole)) ++bins[element & magnitude_mask];
}

void Bfloat16Histogram::merge(const Bfloat16Histogram& other) {
  std::transform(counts.begin(), counts.end(), other.counts.begin(), counts.begin(), std::plus<>());
}

double bfloat16_magnitude(std::size_t bin) {
  assert(bin < bfloat16_magnitudes);
  return std::bit_cast<float>(static_cast<std::uint32_t>(bin) << 16);
}

MagnitudeStats magnitude_stats(const Bfloat16Histogram& histogram) {
  return {count_between(histogram, 0, bfloat16_magnitudes),
          histogram.counts[0],
          count_between(histogram, 1, least_normal),
          histogram.counts[infinity],
          count_between(histogram, infinity + 1, bfloat16_magnitudes),
          largest_finite(histogram)};
}

std::vector<double> magnitude_quantiles(const Bfloat16Histogram& histogram,
                                        std::span<const double> probabilities) {
  std::vector<std::int64_t> cumulative(infinity);
  std::partial_sum(histogram.counts.begin(), histogram.counts.begin() + infinity, cumulative.begin());
  std::vector<double> result(probabilities.size(), std::numeric_limits<double>::quiet_NaN());
  if (cumulative.back() == 0) return result;
  std::transform(probabilities.begin(), probabilities.end(), result.begin(),
                 [&](double probability) { return quantile(cumulative, probability); });
  return result;
}

}  // namespace moescope
