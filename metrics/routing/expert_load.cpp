#include "metrics/routing/expert_load.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "metrics/statistics.h"

namespace moescope {
namespace {

using Counts = std::span<const std::int64_t>;  // (E)

std::int64_t total(Counts counts) {
  return std::accumulate(counts.begin(), counts.end(), std::int64_t{0});
}

/// NaN where there are no tokens: every quotient by it is NaN as well.
double mean_count(Counts counts) {
  const std::int64_t sum_of_counts = total(counts);
  return sum_of_counts > 0 ? static_cast<double>(sum_of_counts) / static_cast<double>(counts.size()) : nan;
}

double ratio(std::int64_t numerator, std::int64_t denominator) {
  return static_cast<double>(numerator) / static_cast<double>(denominator);
}

/// H(p) in nats.
double count_entropy(Counts counts) {
  const std::int64_t sum_of_counts = total(counts);
  if (sum_of_counts <= 0) return nan;
  CompensatedSum entropy;
  for (const std::int64_t count : counts) {
    if (count > 0) entropy.add(ratio(count, sum_of_counts) * std::log(ratio(sum_of_counts, count)));
  }
  return entropy.value();
}

template <class Predicate>
std::vector<std::int64_t> ids_where(Counts counts, Predicate is_wanted) {
  std::vector<std::int64_t> ids;
  for (std::size_t expert = 0; expert < counts.size(); ++expert) {
    if (is_wanted(static_cast<double>(counts[expert]))) ids.push_back(static_cast<std::int64_t>(expert));
  }
  return ids;
}

double count_or_nan(Counts counts, const std::vector<std::int64_t>& ids) {
  return total(counts) > 0 ? static_cast<double>(ids.size()) : nan;
}

}  // namespace

std::vector<std::int64_t> sum_over_domains(std::span<const std::int64_t> counts, std::size_t domains) {
  std::vector<std::int64_t> sums(counts.size() / std::max<std::size_t>(domains, 1));
  for (std::size_t i = 0; i < counts.size(); ++i) sums[i % sums.size()] += counts[i];
  return sums;
}

std::vector<double> expert_load(Counts counts, std::int64_t tokens) {
  std::vector<double> load;
  for (const std::int64_t count : counts) load.push_back(tokens > 0 ? ratio(count, tokens) : nan);
  return load;
}

double even_load(std::int64_t experts, std::int64_t top_k) {
  return static_cast<double>(top_k) / static_cast<double>(experts);
}

std::vector<double> relative_load(Counts counts) {
  const double mean = mean_count(counts);
  std::vector<double> load;
  for (const std::int64_t count : counts) load.push_back(static_cast<double>(count) / mean);
  return load;
}

double max_violation(Counts counts) {
  return static_cast<double>(*std::max_element(counts.begin(), counts.end())) / mean_count(counts) - 1;
}

double min_violation(Counts counts) {
  return 1 - static_cast<double>(*std::min_element(counts.begin(), counts.end())) / mean_count(counts);
}

double mean_violation(Counts counts) {
  const double mean = mean_count(counts);
  CompensatedSum deviation;
  for (const std::int64_t count : counts) deviation.add(std::abs(static_cast<double>(count) - mean));
  return deviation.value() / (mean * static_cast<double>(counts.size()));
}

double max_violation_bound(std::int64_t experts, std::int64_t top_k) {
  return ratio(experts - top_k, top_k);
}

double min_violation_bound(std::int64_t experts, std::int64_t top_k) {
  return top_k < experts ? 1 : 0;
}

double mean_violation_bound(std::int64_t experts, std::int64_t top_k) {
  return 2 * (1 - ratio(top_k, experts));
}

double load_cv(Counts counts) {
  const double mean = mean_count(counts);
  CompensatedSum squares;
  for (const std::int64_t count : counts) {
    const double deviation = static_cast<double>(count) - mean;
    squares.add(deviation * deviation);
  }
  return std::sqrt(squares.value() / static_cast<double>(counts.size())) / mean;
}

double load_cv_bound(std::int64_t experts, std::int64_t top_k) {
  return std::sqrt(ratio(experts - top_k, top_k));
}

double load_gini(Counts counts) {
  std::vector<std::int64_t> ascending(counts.begin(), counts.end());
  std::sort(ascending.begin(), ascending.end());
  const auto experts = static_cast<double>(ascending.size());
  CompensatedSum weighted;
  double weight = 1 - experts;  // 2i - E - 1
  for (const std::int64_t count : ascending) {
    weighted.add(weight * static_cast<double>(count));
    weight += 2;
  }
  return weighted.value() / (experts * experts * mean_count(counts));
}

double load_gini_bound(std::int64_t experts, std::int64_t top_k) {
  return ratio(experts - top_k, experts);
}

double load_entropy(Counts counts) {
  if (counts.size() < 2) return nan;
  return count_entropy(counts) / std::log(static_cast<double>(counts.size()));
}

double load_entropy_bound(std::int64_t experts, std::int64_t top_k) {
  if (experts < 2) return nan;
  return std::log(static_cast<double>(top_k)) / std::log(static_cast<double>(experts));
}

double effective_experts(Counts counts) {
  return std::exp(count_entropy(counts));
}

std::vector<std::int64_t> dead_expert_ids(Counts counts) {
  return ids_where(counts, [](double count) { return count == 0; });
}

std::vector<std::int64_t> cold_expert_ids(Counts counts) {
  return ids_where(counts, [mean = mean_count(counts)](double count) { return 10 * count < mean; });
}

std::vector<std::int64_t> hot_expert_ids(Counts counts) {
  return ids_where(counts, [mean = mean_count(counts)](double count) { return count > 10 * mean; });
}

double dead_experts(Counts counts) {
  return count_or_nan(counts, dead_expert_ids(counts));
}
double cold_experts(Counts counts) {
  return count_or_nan(counts, cold_expert_ids(counts));
}
double hot_experts(Counts counts) {
  return count_or_nan(counts, hot_expert_ids(counts));
}

double dead_experts_bound(std::int64_t experts, std::int64_t top_k) {
  return static_cast<double>(experts - top_k);
}

double cold_experts_bound(std::int64_t experts, std::int64_t top_k) {
  if (top_k >= experts) return 0;
  const std::int64_t quotient = 9 * top_k * experts / (10 * experts - top_k);  // rounded down, exactly
  return static_cast<double>(experts - quotient - 1);
}

double hot_experts_bound(std::int64_t experts, std::int64_t top_k) {
  return experts > 10 * top_k ? static_cast<double>((experts + 9) / 10 - 1) : 0;
}

}  // namespace moescope
