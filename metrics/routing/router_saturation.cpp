#include "metrics/routing/router_saturation.h"

#include <algorithm>
#include <cassert>
#include <cmath>

#include "metrics/statistics.h"

namespace moescope {
namespace {

using Choices = std::span<const std::uint16_t>;  // (T, K)

std::size_t token_count(Choices a, [[maybe_unused]] Choices b, std::size_t top_k) {
  assert(top_k > 0 && a.size() == b.size() && a.size() % top_k == 0);
  return a.size() / top_k;
}

/// The experts of one token at a time, marked by the token's number so that nothing needs to be cleared.
class MarkedExperts {
 public:
  explicit MarkedExperts(std::uint16_t largest_index) : marked_by_(std::size_t{largest_index} + 1) {}

  /// How many of `b` are in `a`; both are (K) choices of one token.
  std::size_t overlap(Choices a, Choices b) {
    ++token_;
    for (const std::uint16_t expert : a) marked_by_[expert] = token_;
    std::size_t common = 0;
    for (const std::uint16_t expert : b) common += marked_by_[expert] == token_ ? 1 : 0;
    return common;
  }

 private:
  std::vector<std::uint64_t> marked_by_;  // (E)
  std::uint64_t token_ = 0;
};

std::uint16_t largest(Choices choices) {
  std::uint16_t found = 0;
  for (const std::uint16_t expert : choices) found = expert == no_expert ? found : std::max(found, expert);
  return found;
}

/// Calls `use(A, B)` with the choices of each token that has one in both.
template <class Use>
void for_each_token(Choices a, Choices b, std::size_t top_k, Use use) {
  const std::size_t tokens = token_count(a, b, top_k);
  for (std::size_t t = 0; t < tokens; ++t) {
    const Choices of_a = a.subspan(t * top_k, top_k), of_b = b.subspan(t * top_k, top_k);
    if (has_choice(of_a) && has_choice(of_b)) use(of_a, of_b);
  }
}

}  // namespace

std::vector<std::int64_t> overlap_histogram(Choices a, Choices b, std::size_t top_k) {
  std::vector<std::int64_t> histogram(top_k + 1);
  MarkedExperts experts(std::max(largest(a), largest(b)));
  for_each_token(a, b, top_k, [&](Choices of_a, Choices of_b) { ++histogram[experts.overlap(of_a, of_b)]; });
  return histogram;
}

double mean_agreement(std::span<const std::int64_t> histogram) {
  const auto top_k = static_cast<std::int64_t>(histogram.size()) - 1;
  std::int64_t tokens = 0, common = 0;
  for (std::int64_t m = 0; m <= top_k; ++m) {
    tokens += histogram[static_cast<std::size_t>(m)];
    common += m * histogram[static_cast<std::size_t>(m)];
  }
  return tokens == 0 ? nan : static_cast<double>(common) / static_cast<double>(tokens * top_k);
}

double mean_jaccard(std::span<const std::int64_t> histogram) {
  const auto top_k = static_cast<double>(histogram.size() - 1);
  double tokens = 0, jaccard = 0;
  for (std::size_t m = 0; m < histogram.size(); ++m) {
    const auto count = static_cast<double>(histogram[m]), common = static_cast<double>(m);
    tokens += count;
    jaccard += count * (common / (2 * top_k - common));
  }
  return tokens == 0 ? nan : jaccard / tokens;
}

double routing_agreement(Choices a, Choices b, std::size_t top_k) {
  return mean_agreement(overlap_histogram(a, b, top_k));
}

double top1_agreement(Choices a, Choices b, std::size_t top_k) {
  std::size_t tokens = 0, same = 0;
  for_each_token(a, b, top_k, [&](Choices of_a, Choices of_b) {
    ++tokens;
    same += of_a.front() == of_b.front() ? 1 : 0;
  });
  return tokens == 0 ? nan : static_cast<double>(same) / static_cast<double>(tokens);
}

double routing_jaccard(Choices a, Choices b, std::size_t top_k) {
  return mean_jaccard(overlap_histogram(a, b, top_k));
}

double routing_agreement_bound(std::int64_t experts, std::int64_t top_k) {
  const std::int64_t common = std::max<std::int64_t>(0, 2 * top_k - experts);
  return static_cast<double>(common) / static_cast<double>(top_k);
}

double routing_jaccard_bound(std::int64_t experts, std::int64_t top_k) {
  const std::int64_t common = std::max<std::int64_t>(0, 2 * top_k - experts);
  return static_cast<double>(common) / static_cast<double>(2 * top_k - common);
}

double routing_agreement_chance(std::int64_t experts, std::int64_t top_k) {
  return static_cast<double>(top_k) / static_cast<double>(experts);
}

double top1_agreement_chance(std::int64_t experts) {
  return 1 / static_cast<double>(experts);
}

double routing_jaccard_chance(std::int64_t experts, std::int64_t top_k) {
  const auto e = static_cast<double>(experts), k = static_cast<double>(top_k);
  CompensatedSum chance;
  for (std::int64_t common = std::max<std::int64_t>(0, 2 * top_k - experts); common <= top_k; ++common) {
    const auto m = static_cast<double>(common);
    const double probability = std::exp(log_binomial(k, m) + log_binomial(e - k, k - m) - log_binomial(e, k));
    chance.add(probability * m / (2 * k - m));
  }
  return chance.value();
}

}  // namespace moescope
