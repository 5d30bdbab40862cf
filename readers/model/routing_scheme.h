#pragma once
/// How a router turns its logits into a choice of experts and their weights.

#include <cstdint>
#include <string_view>
#include <vector>

namespace moescope {

/// From logits z to scores s: 1 / (1 + exp(-z)) for each expert by itself, or exp(z) over its sum over all
/// experts. Softmax over the chosen logits alone is softmax here, renormalised with an epsilon of 0.
enum class ScoreFunction : std::uint8_t { sigmoid, softmax };
std::string_view score_function_name(ScoreFunction function);  // "sigmoid"

/// How a group of experts is ranked: by the sum of its two best, or by its best.
enum class GroupScore : std::uint8_t { best_two, best };

/// How a token chooses among experts: a choice is made by selection scores: s, with a learned bias where the
/// model has one (the weight of Role::score_correction_bias). The weights of the chosen are their s, which
/// never holds the bias.
struct RoutingScheme {
  ScoreFunction score = ScoreFunction::sigmoid;
  /// Experts are chosen from the kept_groups best of `groups` equal groups.
  std::int64_t groups = 1, kept_groups = 1;
  GroupScore group_score = GroupScore::best_two;
  bool renormalise = false;  // weights over (their sum + epsilon)
  double epsilon = 0;
  bool selects_by_logit = false;  // in place of s: the same choice, but another margin
  double scale = 1;               // of the weights, in the end
  /// Every token takes the last `always_last` experts, whose scores are a softmax of their own, and those of
  /// `always`, whose scores are as the others'. They count among the K that it takes.
  std::int64_t always_last = 0;
  std::vector<std::int64_t> always = {};

  /// Experts that every token takes.
  std::int64_t always_count() const { return always_last + static_cast<std::int64_t>(always.size()); }
  /// Experts, of so many, among which a token chooses.
  std::int64_t eligible(std::int64_t experts) const { return experts / groups * kept_groups; }
  bool operator==(const RoutingScheme&) const = default;
};

}  // namespace moescope
