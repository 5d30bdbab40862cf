#include "metrics/routing/load_chance.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "metrics/routing/expert_load.h"
#include "metrics/statistics.h"

namespace moescope {
namespace {

/// What lies farther out is below 1e-30.
constexpr double most_deviations = 12;

/// The numbers that a binomial variable takes, without those that it never takes in practice.
class Binomial {
 public:
  Binomial(std::int64_t trials, double probability) {
    const auto n = static_cast<double>(trials), p = probability;
    const double width = most_deviations * (std::sqrt(n * p * (1 - p)) + most_deviations);
    first_ = std::max(0.0, std::floor(n * p - width));
    const double last = std::min(n, std::ceil(n * p + width));
    for (double x = first_; x <= last; ++x) {
      const double log_successes = x > 0 ? x * std::log(p) : 0, failures = n - x;
      const double log_failures = failures > 0 ? failures * std::log1p(-p) : 0;
      shares_.push_back(std::exp(log_binomial(n, x) + log_successes + log_failures));
    }
  }

  /// Mean of value(x).
  template <class Value>
  double mean_of(Value value) const {
    CompensatedSum sum;
    for (std::size_t i = 0; i < shares_.size(); ++i)
      sum.add(shares_[i] * value(first_ + static_cast<double>(i)));
    return sum.value();
  }
  /// Mean of the largest and of the smallest of `count` independent such variables.
  double mean_maximum(double count) const {
    // The largest is above x unless all are not; summed over x >= 0.
    return first_ + sum_of_tails([&](double tail) { return -std::expm1(count * std::log1p(-tail)); });
  }
  double mean_minimum(double count) const {
    return first_ + sum_of_tails([&](double tail) { return std::pow(tail, count); });
  }

 private:
  /// Sum over x of term(P(X > x)).
  template <class Term>
  double sum_of_tails(Term term) const {
    CompensatedSum sum;
    double tail = 0;
    for (std::size_t i = shares_.size(); i-- > 1;) {
      tail = std::min(1.0, tail + shares_[i]);
      sum.add(term(tail));
    }
    return sum.value();
  }

  double first_ = 0;
  std::vector<double> shares_;  // of first_, first_ + 1 …
};

/// Tokens of one layer that choose at random.
struct RandomRouting {
  RandomRouting(std::int64_t experts, std::int64_t top_k, std::int64_t tokens)
      : e(static_cast<double>(experts)),
        k(static_cast<double>(top_k)),
        t(static_cast<double>(tokens)),
        mean_count(k * t / e),
        count(tokens, k / e) {}

  /// How much farther from the mean the counts are than independent ones.
  double stretch() const { return e > 1 ? std::sqrt(e / (e - 1)) : 0; }
  /// H(p), in nats.
  double entropy() const {
    return e * count.mean_of([&](double n) { return n > 0 ? n / (k * t) * std::log(k * t / n) : 0; });
  }

  double e, k, t;
  double mean_count;
  Binomial count;  // of one expert
};

/// Mean distance from 0 after so many steps of 1, up or down: 2m C(2m, m) / 4^m for 2m - 1 and for 2m steps.
double mean_walk(double steps) {
  const double m = std::ceil(steps / 2);
  return m > 0 ? 2 * m * std::exp(log_binomial(2 * m, m) - m * std::log(4.0)) : 0;
}

}  // namespace

double max_violation_chance(std::int64_t experts, std::int64_t top_k, std::int64_t tokens) {
  if (tokens <= 0) return nan;
  const RandomRouting random(experts, top_k, tokens);
  const double excess = random.stretch() * (random.count.mean_maximum(random.e) / random.mean_count - 1);
  return std::clamp(excess, 0.0, max_violation_bound(experts, top_k));
}

double min_violation_chance(std::int64_t experts, std::int64_t top_k, std::int64_t tokens) {
  if (tokens <= 0) return nan;
  const RandomRouting random(experts, top_k, tokens);
  const double lack = random.stretch() * (1 - random.count.mean_minimum(random.e) / random.mean_count);
  return std::clamp(lack, 0.0, min_violation_bound(experts, top_k));
}

double mean_violation_chance(std::int64_t experts, std::int64_t top_k, std::int64_t tokens) {
  if (tokens <= 0) return nan;
  const RandomRouting random(experts, top_k, tokens);
  return random.count.mean_of([&](double n) { return std::abs(n / random.mean_count - 1); });
}

double load_cv_chance(std::int64_t experts, std::int64_t top_k, std::int64_t tokens) {
  if (tokens <= 0) return nan;
  return std::sqrt(static_cast<double>(experts - top_k) / static_cast<double>(top_k) /
                   static_cast<double>(tokens));
}

double load_gini_chance(std::int64_t experts, std::int64_t top_k, std::int64_t tokens) {
  if (tokens <= 0) return nan;
  if (experts < 2) return 0;
  const RandomRouting random(experts, top_k, tokens);
  const double step = random.k * (random.e - random.k) / (random.e * (random.e - 1));  // up; and down
  const double difference = Binomial(tokens, 2 * step).mean_of(mean_walk);
  return (random.e - 1) / (2 * random.e) * difference / random.mean_count;
}

double load_entropy_chance(std::int64_t experts, std::int64_t top_k, std::int64_t tokens) {
  if (tokens <= 0 || experts < 2) return nan;
  const RandomRouting random(experts, top_k, tokens);
  return random.entropy() / std::log(random.e);
}

double effective_experts_chance(std::int64_t experts, std::int64_t top_k, std::int64_t tokens) {
  if (tokens <= 0) return nan;
  return std::exp(RandomRouting(experts, top_k, tokens).entropy());
}

double dead_experts_chance(std::int64_t experts, std::int64_t top_k, std::int64_t tokens) {
  if (tokens <= 0) return nan;
  const double untouched = static_cast<double>(experts - top_k) / static_cast<double>(experts);
  return static_cast<double>(experts) * std::pow(untouched, static_cast<double>(tokens));
}

double cold_experts_chance(std::int64_t experts, std::int64_t top_k, std::int64_t tokens) {
  if (tokens <= 0) return nan;
  const RandomRouting random(experts, top_k, tokens);
  return random.e * random.count.mean_of([&](double n) { return 10 * n < random.mean_count ? 1.0 : 0.0; });
}

double hot_experts_chance(std::int64_t experts, std::int64_t top_k, std::int64_t tokens) {
  if (tokens <= 0) return nan;
  const RandomRouting random(experts, top_k, tokens);
  return random.e * random.count.mean_of([&](double n) { return n > 10 * random.mean_count ? 1.0 : 0.0; });
}

}  // namespace moescope
