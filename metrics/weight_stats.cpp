#include "metrics/weight_stats.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <iterator>
#include <limits>

namespace moescope {
namespace {

constexpr std::size_t lanes = 8;  // independent sums, so that the compiler may use vectors without reordering
using Lanes = std::array<double, lanes>;

double fold(const Lanes& lane) {
  return ((lane[0] + lane[4]) + (lane[1] + lane[5])) + ((lane[2] + lane[6]) + (lane[3] + lane[7]));
}

/// Bits of |value|: they order like the values, with infinity and NaN above every finite one.
std::int32_t magnitude_bits(float value) {
  return std::bit_cast<std::int32_t>(value) & 0x7fffffff;
}
constexpr std::int32_t infinity_bits = 0x7f800000;

std::int32_t largest_magnitude_bits(std::span<const float> block) {
  std::int32_t largest = 0;
  for (const float value : block) largest = std::max(largest, magnitude_bits(value));
  return largest;
}

/// Calls visit(lane, value) for the elements in order, lane after lane.
template <class Visit>
void for_each_lane(std::span<const float> block, Visit visit) {
  const std::size_t whole = block.size() - block.size() % lanes;
  for (std::size_t i = 0; i < whole; i += lanes) {
    for (std::size_t lane = 0; lane < lanes; ++lane) visit(lane, static_cast<double>(block[i + lane]));
  }
  for (std::size_t i = whole; i < block.size(); ++i) visit(i - whole, static_cast<double>(block[i]));
}

WeightMoments finite_moments(std::span<const float> block) {
  Lanes sums{}, squares{}, deviations{};
  for_each_lane(block, [&](std::size_t lane, double value) {
    sums[lane] += value;
    squares[lane] += value * value;
  });
  WeightMoments moments;
  moments.element_count = moments.finite_count = static_cast<std::int64_t>(block.size());
  moments.sum = fold(sums);
  moments.sum_of_squares = fold(squares);
  const double mean = moments.sum / static_cast<double>(block.size());
  for_each_lane(block,
                [&](std::size_t lane, double value) { deviations[lane] += (value - mean) * (value - mean); });
  moments.squared_deviations = fold(deviations);
  return moments;
}

}  // namespace

WeightMoments weight_moments(std::span<const float> block) {
  const std::int32_t largest = largest_magnitude_bits(block);
  if (largest >= infinity_bits) {
    std::vector<float> finite;
    std::copy_if(block.begin(), block.end(), std::back_inserter(finite),
                 [](float value) { return magnitude_bits(value) < infinity_bits; });
    WeightMoments moments = weight_moments(finite);
    moments.element_count = static_cast<std::int64_t>(block.size());
    return moments;
  }
  WeightMoments moments = finite_moments(block);
  moments.max_abs = std::bit_cast<float>(largest);
  return moments;
}

double WeightStatsSum::mean() const {
  return sum_.value() / static_cast<double>(finite_count_);
}

void WeightStatsSum::add(const WeightMoments& block) {
  element_count_ += block.element_count;
  if (block.finite_count == 0) return;
  const auto before = static_cast<double>(finite_count_), added = static_cast<double>(block.finite_count);
  if (finite_count_ >
      0) {  // the deviations of two sets about their common mean (Chan, Golub and LeVeque 1979)
    const double step = block.sum / added - mean();
    squared_deviations_.add(step * step * before * added / (before + added));
  }
  squared_deviations_.add(block.squared_deviations);
  sum_.add(block.sum);
  sum_of_squares_.add(block.sum_of_squares);
  finite_count_ += block.finite_count;
  max_abs_ = std::max(max_abs_, block.max_abs);
}

WeightMoments WeightStatsSum::moments() const {
  return {element_count_, finite_count_, sum_.value(), sum_of_squares_.value(), squared_deviations_.value(),
          max_abs_};
}

WeightStats WeightStatsSum::result() const {
  constexpr double nan = std::numeric_limits<double>::quiet_NaN();
  const std::int64_t nonfinite = element_count_ - finite_count_;
  if (finite_count_ == 0) return {element_count_, nonfinite, nan, nan, nan, nan};
  const auto count = static_cast<double>(finite_count_);
  return {element_count_,
          nonfinite,
          std::sqrt(sum_of_squares_.value()),
          mean(),
          std::sqrt(squared_deviations_.value() / count),
          max_abs_};
}

void WeightStatsStream::add(std::span<const float> elements) {
  while (!elements.empty()) {
    if (pending_.empty() && elements.size() >= weight_block_size) {
      blocks_.add(weight_moments(elements.first(weight_block_size)));
      elements = elements.subspan(weight_block_size);
      continue;
    }
    const std::size_t taken = std::min(elements.size(), weight_block_size - pending_.size());
    pending_.insert(pending_.end(), elements.begin(), elements.begin() + static_cast<std::ptrdiff_t>(taken));
    elements = elements.subspan(taken);
    if (pending_.size() < weight_block_size) continue;
    blocks_.add(weight_moments(pending_));
    pending_.clear();
  }
}

WeightStats WeightStatsStream::result() const {
  WeightStatsSum all = blocks_;
  if (!pending_.empty()) all.add(weight_moments(pending_));
  return all.result();
}

WeightStats weight_stats(std::span<const float> elements) {
  WeightStatsStream stream;
  stream.add(elements);
  return stream.result();
}

}  // namespace moescope
