#include "metrics/weights/expert_matching.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstdint>
#include <limits>
#include <utility>

#include "metrics/statistics.h"

namespace moescope {
namespace {

constexpr double certain_deviations = 6;
constexpr double certain_standard_errors = 4;
constexpr std::size_t fewest_experts = 8;  // for strangers to have a mean and a spread
constexpr double certain_among_few = 0.5;

constexpr std::size_t nobody = std::numeric_limits<std::size_t>::max();

std::vector<double> finite_or_zero(std::span<const double> similarity) {
  std::vector<double> values(similarity.size());
  std::transform(similarity.begin(), similarity.end(), values.begin(),
                 [](double value) { return std::isfinite(value) ? value : 0; });
  return values;
}

/// The Hungarian method by shortest augmenting paths (Jonker and Volgenant 1987; in the order of Crouse 2016,
/// "On implementing 2D rectangular assignment algorithms"): rows get a column one after another, always at
/// the least cost, which is minus the similarity. The prices keep cost - row price - column price at 0 or
/// above for the rows that have a column, and at 0 for the column they have.
class Assignment {
 public:
  Assignment(std::span<const double> similarity, std::size_t count)
      : similarity_(similarity),
        row_price_(count),
        column_price_(count),
        column_of_(count, nobody),
        row_of_(count, nobody) {}

  /// Gives one more row a column and, along the shortest path to a free one, other rows another column.
  void add(std::size_t row) {
    distance_.assign(row_of_.size(), std::numeric_limits<double>::infinity());
    from_row_.assign(row_of_.size(), nobody);
    reached_.assign(row_of_.size(), 0);
    double length = 0;
    std::size_t end = nobody;
    for (std::size_t last = row; last != nobody; last = row_of_[end]) {
      shorten_paths(last, length);
      end = nearest_column();
      length = distance_[end];
      reached_[end] = 1;
    }
    move_prices(row, length);
    for (std::size_t owner = nobody; owner != row;) {
      owner = from_row_[end];
      row_of_[end] = owner;
      std::swap(end, column_of_[owner]);
    }
  }

  const std::vector<std::size_t>& columns() const { return column_of_; }

 private:
  /// To the columns that are better reached by way of `row`, which lies `length` away.
  void shorten_paths(std::size_t row, double length) {
    const double* const similarity = &similarity_[row * row_of_.size()];
    for (std::size_t column = 0; column < row_of_.size(); ++column) {
      if (reached_[column] != 0) continue;
      const double path = length - similarity[column] - row_price_[row] - column_price_[column];
      if (path >= distance_[column]) continue;
      distance_[column] = path;
      from_row_[column] = row;
    }
  }

  std::size_t nearest_column() const {
    std::size_t nearest = nobody;
    for (std::size_t column = 0; column < row_of_.size(); ++column) {
      if (reached_[column] != 0) continue;
      if (nearest == nobody || distance_[column] < distance_[nearest]) nearest = column;
    }
    return nearest;
  }

  void move_prices(std::size_t row, double length) {
    row_price_[row] += length;
    for (std::size_t column = 0; column < row_of_.size(); ++column) {
      if (reached_[column] == 0) continue;
      const double gain = length - distance_[column];
      column_price_[column] -= gain;
      if (row_of_[column] != nobody) row_price_[row_of_[column]] += gain;
    }
  }

  std::span<const double> similarity_;            // (count, count)
  std::vector<double> row_price_, column_price_;  // (count)
  std::vector<std::size_t> column_of_, row_of_;   // (count): or nobody
  // Of the search for one row, by column:
  std::vector<double> distance_;
  std::vector<std::size_t> from_row_;  // the row before the column on its shortest path
  std::vector<std::uint8_t> reached_;  // whether its path is final
};

std::vector<std::size_t> assign(std::span<const double> similarity, std::size_t experts) {
  assert(similarity.size() == experts * experts);
  Assignment assignment(similarity, experts);
  for (std::size_t row = 0; row < experts; ++row) assignment.add(row);
  return assignment.columns();
}

template <class Value>
double mean_over_experts(std::size_t experts, Value value) {
  std::vector<double> values(experts);
  for (std::size_t e = 0; e < experts; ++e) values[e] = value(e);
  return mean(values);
}

/// What the similarity of two different experts is like.
struct Strangers {
  double mean = 0, deviation = 0;
};

Strangers strangers(std::span<const double> similarity, std::span<const std::size_t> match) {
  const std::size_t experts = match.size();
  std::vector<double> values, squares;
  for (std::size_t i = 0; i < experts; ++i) {
    for (std::size_t j = 0; j < experts; ++j) {
      if (j != i && j != match[i]) values.push_back(similarity[i * experts + j]);
    }
  }
  const double centre = mean(values);
  for (const double value : values) squares.push_back((value - centre) * (value - centre));
  return {centre, std::sqrt(mean(squares))};
}

/// Similarities above it are no chance.
double certain_similarity(const Strangers& others, std::size_t experts) {
  return experts < fewest_experts ? certain_among_few : others.mean + certain_deviations * others.deviation;
}

/// Mean gains above it are no chance, where `changed` experts have a match in another place.
double certain_gain(const Strangers& others, std::size_t experts, std::size_t changed) {
  if (experts < fewest_experts || changed == 0) return std::numeric_limits<double>::infinity();
  const double largest_of_a_row = std::sqrt(2 * std::log(static_cast<double>(experts)));
  const double spread_of_the_mean = std::sqrt(2 / static_cast<double>(changed));
  return others.deviation * (largest_of_a_row + certain_standard_errors * spread_of_the_mean);
}

}  // namespace

std::vector<std::size_t> best_assignment(std::span<const double> similarity, std::size_t experts) {
  return assign(finite_or_zero(similarity), experts);
}

ExpertMatching find_permutation(std::span<const double> similarity, std::size_t experts) {
  ExpertMatching matching;
  const std::vector<double> values = finite_or_zero(similarity);
  matching.match = assign(values, experts);
  const auto matched = [&](std::size_t e) { return values[e * experts + matching.match[e]]; };
  const auto own = [&](std::size_t e) { return values[e * experts + e]; };
  matching.matched_similarity = mean_over_experts(experts, matched);
  matching.in_place_similarity = mean_over_experts(experts, own);
  Strangers others;
  if (experts >= fewest_experts) others = strangers(values, matching.match);
  std::vector<double> gains;
  for (std::size_t e = 0; e < experts; ++e) {
    if (matching.match[e] != e) gains.push_back(matched(e) - own(e));
  }
  const bool all_certain = mean(gains) > certain_gain(others, experts, gains.size());
  const double certain = all_certain ? others.mean : certain_similarity(others, experts);
  for (std::size_t e = 0; e < experts; ++e) {
    if (matching.match[e] == e || matched(e) <= certain) continue;
    if (own(e) < (others.mean + matched(e)) / 2) matching.moved.push_back(e);
  }
  return matching;
}

}  // namespace moescope
