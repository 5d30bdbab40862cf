#pragma once
/// How evenly the tokens of one layer are spread over its experts.
///
/// Everything is derived from integer counts n (E): tokens routed to each expert. With T tokens and K experts
/// each, the counts sum to K T, so the mean count is K T / E = sum(n) / E. Without tokens every metric is
/// NaN. All functions are pure and thread-safe.

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace moescope {

/// Counts of D domains (D, ...) together: (...).
std::vector<std::int64_t> sum_over_domains(std::span<const std::int64_t> counts, std::size_t domains);

/// n_e / T in [0, 1]: uniform K/E, sums to K (dots.llm1, arXiv 2506.05767, eq. 1). Shape (E).
std::vector<double> expert_load(std::span<const std::int64_t> counts, std::int64_t tokens);

/// K/E: the load of each expert where all have the same, and the share of anything that K of E alike have.
double even_load(std::int64_t experts, std::int64_t top_k);

/// n_e E / (K T): uniform 1, sums to E (DeepSeek-V3, arXiv 2412.19437, fig. 9). Shape (E).
std::vector<double> relative_load(std::span<const std::int64_t> counts);

/// MaxVio: max(n) / mean(n) - 1 (arXiv 2408.15664, eq. 4). Between 0 and max_violation_bound.
double max_violation(std::span<const std::int64_t> counts);
/// 1 - min(n) / mean(n), between 0 and min_violation_bound.
double min_violation(std::span<const std::int64_t> counts);
/// Mean over experts of |n_e / mean(n) - 1|.
double mean_violation(std::span<const std::int64_t> counts);
/// E/K - 1: every token takes the same K experts.
double max_violation_bound(std::int64_t experts, std::int64_t top_k);
/// 1: an expert takes no token; 0 where K = E, as then each takes all.
double min_violation_bound(std::int64_t experts, std::int64_t top_k);
/// 2 (1 - K/E): every token takes the same K experts.
double mean_violation_bound(std::int64_t experts, std::int64_t top_k);

/// Coefficient of variation: population standard deviation of n over its mean (Shazeer 2017, arXiv
/// 1701.06538).
double load_cv(std::span<const std::int64_t> counts);
/// sqrt(E/K - 1).
double load_cv_bound(std::int64_t experts, std::int64_t top_k);

/// Gini coefficient: sum_i (2i - E - 1) n_(i) / (E sum(n)), n_(i) ascending, i from 1.
double load_gini(std::span<const std::int64_t> counts);
/// 1 - K/E.
double load_gini_bound(std::int64_t experts, std::int64_t top_k);

/// H(p) / ln E with p = n / sum(n); 1 is uniform. NaN for a single expert.
double load_entropy(std::span<const std::int64_t> counts);
/// ln K / ln E, not 0: a token takes K different experts. NaN for a single expert.
double load_entropy_bound(std::int64_t experts, std::int64_t top_k);
/// exp H(p): the number of equally used experts with the same entropy, between K and E.
double effective_experts(std::span<const std::int64_t> counts);

/// Experts with n_e = 0, with n_e < 0.1 mean(n), with n_e > 10 mean(n): their indices, ascending.
std::vector<std::int64_t> dead_expert_ids(std::span<const std::int64_t> counts);
std::vector<std::int64_t> cold_expert_ids(std::span<const std::int64_t> counts);
std::vector<std::int64_t> hot_expert_ids(std::span<const std::int64_t> counts);
/// How many of them there are.
double dead_experts(std::span<const std::int64_t> counts);
double cold_experts(std::span<const std::int64_t> counts);
double hot_experts(std::span<const std::int64_t> counts);
/// The most there can be, of any number of tokens: E - K dead ones, as each token takes K.
double dead_experts_bound(std::int64_t experts, std::int64_t top_k);
/// E - floor(0.9 K / (1 - K/(10 E))) - 1, where tokens take some of the experts: m of them with a count of at
/// most T each, and E - m with less than a tenth of K T / E, have K T together only where m is more than the
/// quotient. 0 where K = E.
double cold_experts_bound(std::int64_t experts, std::int64_t top_k);
/// ceil(E/10) - 1, as h of them have more than 10 h K T / E of the K T choices; none where E is at most 10 K,
/// as then no count of at most T is above 10 K T / E.
double hot_experts_bound(std::int64_t experts, std::int64_t top_k);

}  // namespace moescope
