#pragma once
/// Whether the experts of a layer kept their places from one checkpoint to the next. A permuted export makes
/// every comparison of expert by expert meaningless, and nothing else shows it.
///
/// Similarities are (E, E), row-major [expert earlier, expert later], as the cosines of router rows or of
/// flattened weights. One that is not finite counts as 0: a zero vector is like nothing. All functions are
/// pure and thread-safe, and take O(E³) steps: for 512 experts, tenths of a second at the worst.

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace moescope {

/// The later expert of each earlier one, every one taken once, with the greatest sum of similarities. Shape
/// (E). Of several such assignments one is chosen by the similarities alone.
std::vector<std::size_t> best_assignment(std::span<const double> similarity, std::size_t experts);

/// Whether an expert is found in a place that is not its own; a place below 0 is unknown.
inline bool has_moved(std::size_t expert, std::int64_t place) {
  return place >= 0 && static_cast<std::size_t>(place) != expert;
}

struct ExpertMatching {
  std::vector<std::size_t> match;  // (E): best_assignment
  /// Experts that clearly moved, ascending: match[e] is another place and certain, and the expert in place e
  /// is not the same any more. Empty where the experts kept their places, and where nothing can be told.
  std::vector<std::size_t> moved;
  double matched_similarity = 0;   // mean over experts of similarity[e][match[e]]; NaN without experts
  double in_place_similarity = 0;  // mean over experts of similarity[e][e]; NaN without experts
};

/// Strangers are the pairs of neither the best assignment nor the identity; m and d are the mean and standard
/// deviation of their similarities. An expert has clearly moved when its match is certain and its own place
/// is not: the similarity there is nearer to m than to that of the match. A match is certain
/// - alone, when its similarity is above m + 6 d, which any of 512² normal similarities without meaning
///   exceeds in one layer of 4,000;
/// - together with the matches of all n experts that have one in another place, when they gain over their own
///   places, on average, more than d (sqrt(2 ln E) + 4 sqrt(2 / n)): what the largest of a row is by chance,
///   and four standard errors of the mean of n differences.
/// With fewer than 8 experts, too few strangers, m is 0 and a match is certain above 0.5.
ExpertMatching find_permutation(std::span<const double> similarity, std::size_t experts);

}  // namespace moescope
