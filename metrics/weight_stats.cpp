#include "metrics/weight_stats.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

namespace moescope {
namespace {

constexpr std::size_t lanes = 8;  // independent sums, so that the compiler may use vectors without reordering
using Lanes = std::array<double, lanes>;

double fold(const Lanes& lane) {
  return ((lane[0] + lane[4]) + (lane[1] + lane[5])) + ((lane[2] + lane[6]) + (lane[3] + lane[7]));
}

double squared_deviations(std::span<const float> block, double mean) {
  Lanes squares{};
  for (std::size_t i = 0; i < block.size(); ++i) {
    const double deviation = std::isfinite(block[i]) ? static_cast<double>(block[i]) - mean : 0;
    squares[i % lanes] += deviation * deviation;
  }
  return fold(squares);
}

}  // namespace

WeightMoments weight_moments(std::span<const float> block) {
  Lanes sums{}, squares{}, largest{};
  WeightMoments moments;
  moments.element_count = static_cast<std::int64_t>(block.size());
  for (std::size_t i = 0; i < block.size(); ++i) {
    const bool finite = std::isfinite(block[i]);
    const double value = finite ? static_cast<double>(block[i]) : 0;
    moments.finite_count += finite ? 1 : 0;
    sums[i % lanes] += value;
    squares[i % lanes] += value * value;
    largest[i % lanes] = std::max(largest[i % lanes], std::abs(value));
  }
  moments.sum = fold(sums);
  moments.sum_of_squares = fold(squares);
  moments.max_abs = *std::max_element(largest.begin(), largest.end());
  moments.squared_deviations =
      squared_deviations(block, moments.sum / static_cast<double>(moments.finite_count));
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
