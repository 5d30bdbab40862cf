#pragma once
/// What the metrics of expert load would be by chance: on average, when each of T tokens takes K different
/// ones of E experts, all sets of K alike and independent of the other tokens. Few tokens never spread
/// evenly, so that only what goes beyond this is imbalance.
///
/// The count of one expert is then binomial, n ~ B(T, K/E), and the difference of two counts is a walk of T
/// steps, up or down with probability K (E - K) / (E (E - 1)) each. From these two follows exactly every mean
/// of a sum over experts or over pairs of experts. Arguments: experts E, top_k K, tokens T. NaN without
/// tokens, and where the metric itself is. All functions are pure and thread-safe, and take O(sqrt(T)) steps.

#include <cstdint>

namespace moescope {

/// Of the most used of E experts: E independent counts of that distribution have the mean maximum M; counts
/// with a fixed sum differ more from each other, by sqrt(E / (E - 1)), so that E / (K T) sqrt(E / (E - 1)) (M
/// - K T / E), and at most E/K - 1, which is exact for T = 1. Else within 4 % (7 % of fewer than 8 experts)
/// of what simulations give.
double max_violation_chance(std::int64_t experts, std::int64_t top_k, std::int64_t tokens);
/// Of the least used one, as max_violation_chance; at most 1 (0 where all are chosen).
double min_violation_chance(std::int64_t experts, std::int64_t top_k, std::int64_t tokens);
/// Exact.
double mean_violation_chance(std::int64_t experts, std::int64_t top_k, std::int64_t tokens);
/// The root of the mean square, exactly: sqrt((E - K) / (K T)).
double load_cv_chance(std::int64_t experts, std::int64_t top_k, std::int64_t tokens);
/// Exact.
double load_gini_chance(std::int64_t experts, std::int64_t top_k, std::int64_t tokens);
/// Exact.
double load_entropy_chance(std::int64_t experts, std::int64_t top_k, std::int64_t tokens);
/// exp of the mean entropy: less than the mean of exp, by at most 1.5 % (4 % of fewer than 8 experts).
double effective_experts_chance(std::int64_t experts, std::int64_t top_k, std::int64_t tokens);
/// Exact: E (1 - K/E)^T.
double dead_experts_chance(std::int64_t experts, std::int64_t top_k, std::int64_t tokens);
/// Exact.
double cold_experts_chance(std::int64_t experts, std::int64_t top_k, std::int64_t tokens);
/// Exact.
double hot_experts_chance(std::int64_t experts, std::int64_t top_k, std::int64_t tokens);

}  // namespace moescope
