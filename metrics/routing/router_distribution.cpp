#include "metrics/routing/router_distribution.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <limits>

namespace moescope {
namespace {

void divide_by_sum(std::span<double> values) {
  double sum = 0;
  for (const double value : values) sum += value;
  for (double& value : values) value /= sum;
}

double entropy_term(double share) {
  return share == 0 ? 0 : -share * std::log(share);
}

double sum_of(std::span<const float> weights) {
  double sum = 0;
  for (const float weight : weights) sum += weight;
  return sum;
}

}  // namespace

void sigmoid_router_distribution(std::span<const float> scores, std::span<double> distribution) {
  assert(scores.size() == distribution.size());
  std::copy(scores.begin(), scores.end(), distribution.begin());
  divide_by_sum(distribution);
}

void softmax_router_distribution(std::span<const float> logits, std::span<double> distribution) {
  assert(logits.size() == distribution.size() && !logits.empty());
  const double largest = *std::max_element(logits.begin(), logits.end());
  for (std::size_t expert = 0; expert < logits.size(); ++expert) {
    distribution[expert] = std::exp(static_cast<double>(logits[expert]) - largest);
  }
  divide_by_sum(distribution);
}

double router_entropy(std::span<const double> distribution) {
  double entropy = 0;
  for (const double share : distribution) entropy += entropy_term(share);
  return entropy;
}

double topk_mass(std::span<const double> distribution, std::span<const std::uint16_t> chosen) {
  double mass = 0;
  for (const std::uint16_t expert : chosen) mass += distribution[expert];
  return mass;
}

double top1_share(std::span<const float> weights) {
  assert(!weights.empty());
  return static_cast<double>(*std::max_element(weights.begin(), weights.end())) / sum_of(weights);
}

double topk_weight_entropy(std::span<const float> weights) {
  if (weights.size() < 2) return std::numeric_limits<double>::quiet_NaN();
  const double sum = sum_of(weights);
  double entropy = 0;
  for (const float weight : weights) entropy += entropy_term(static_cast<double>(weight) / sum);
  return entropy / std::log(static_cast<double>(weights.size()));
}

int bias_flips(std::span<const std::uint16_t> chosen, std::span<const std::uint16_t> chosen_without_bias) {
  int flips = 0;
  for (const std::uint16_t expert : chosen) {
    const auto found = std::find(chosen_without_bias.begin(), chosen_without_bias.end(), expert);
    if (found == chosen_without_bias.end()) ++flips;
  }
  return flips;
}

double bias_flip_rate_bound(std::int64_t experts, std::int64_t top_k) {
  return static_cast<double>(std::min(top_k, experts - top_k)) / static_cast<double>(top_k);
}

}  // namespace moescope
