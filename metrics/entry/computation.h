#pragma once
/// How metrics follow from the record of a run: each kind is a pure function and says what it is of. What a
/// kind does not say follows from the dimensions of the metric: with `domain`, values are of the tokens of
/// each domain, without it of all tokens together. analysis/derive has a driver for each kind.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <variant>
#include <vector>

namespace moescope {

struct LanguageLoss;
struct SketchedDrift;
struct WeightInnerProducts;

using ExpertCounts = std::span<const std::int64_t>;  // (E): tokens that each expert of a layer took

/// A number for each layer.
struct OfCounts {
  double (*value)(ExpertCounts counts) = nullptr;
};

/// A number for each expert of a layer, whose counts are those of so many tokens: (E).
struct OfExpertCounts {
  std::vector<double> (*values)(ExpertCounts counts, std::int64_t tokens) = nullptr;
};

/// A number that follows from how many tokens chose.
struct OfTokenCount {
  double (*value)(std::int64_t experts, std::int64_t top_k, std::int64_t tokens) = nullptr;
};

/// The mean over tokens of a number that is recorded for each; its quantiles, with the dimension `quantile`.
struct OfTokens {
  std::string dataset = {};     // (C, L, T), e.g. "/routing/entropy"
  bool of_each_chosen = false;  // the recorded number is over K experts: divided by K
};

/// A number for each text.
struct OfLosses {
  double (*value)(const LanguageLoss& loss) = nullptr;
};

/// What two checkpoints chose in one layer: (T, K) each, see metrics/routing/router_saturation.h.
struct ChoicePair {
  std::span<const std::uint16_t> a, b;
  std::size_t top_k = 0;
  std::span<const std::int64_t> overlaps;  // (K+1): overlap_histogram of the two
};

/// A number for each layer and pair of checkpoints, the same for a with b and b with a; without the
/// dimension `other_checkpoint`, b is the last one.
struct OfChoices {
  double (*value)(const ChoicePair& choices) = nullptr;
};

/// Some weights as one long vector.
struct WeightGroup {
  const WeightInnerProducts& products;  // of C checkpoints
  std::uint64_t elements = 0;
  std::span<const double> tokens;  // (C): what the model had been trained on
};

/// Numbers for each group of weights, by the first dimensions of the metric. The last ones say which groups:
/// `role`, `layer, role`, or `moe_layer, expert`.
struct OfProducts {
  std::vector<double> (*values)(const WeightGroup& group) = nullptr;
};

/// The same of sketches, by `role`.
struct OfSketches {
  const std::vector<double>& (*values)(const SketchedDrift& drift) = nullptr;
};

using Computation = std::variant<OfCounts, OfExpertCounts, OfTokenCount, OfTokens, OfLosses, OfChoices,
                                 OfProducts, OfSketches>;

}  // namespace moescope
