#pragma once
/// How far and in which direction weights moved, for every pair of checkpoints, from inner products alone.
///
/// Distances come from the products of the successive differences, which were formed before rounding:
/// norm(W_t - W_s)² = sum of <D_i, D_j> over i, j in [s, t). Never from a² + b² - 2ab, which cancels. A step
/// that is not finite, as from or to a checkpoint with a NaN, tells nothing of the checkpoints on both sides
/// of it: the squared distances of those are formed directly. All functions are pure and thread-safe.

#include <cstddef>
#include <span>
#include <vector>

namespace moescope {

/// Inner products of one weight at C checkpoints, or the sums over several weights: then everything below
/// holds for the weights as one long vector.
struct WeightInnerProducts {
  std::size_t checkpoints = 0;
  std::vector<double> inner_product;        // (C, C): <W_i, W_j>
  std::vector<double> delta_inner_product;  // (C-1, C-1): <D_i, D_j>, D_i = W_(i+1) - W_i
  /// (C, C): norm(W_t - W_s)², which counts where the steps do not tell. Empty: they tell all that is known.
  std::vector<double> squared_distance = {};

  /// C-1, the number of updates; 0 without checkpoints.
  std::size_t steps() const { return checkpoints > 0 ? checkpoints - 1 : 0; }
  /// Zeros: the inner products of no weights.
  static WeightInnerProducts zero(std::size_t checkpoints);
  /// Whether all elements are finite at a checkpoint.
  bool is_finite_at(std::size_t checkpoint) const;
  /// Adds another weight at the same checkpoints.
  void add(std::span<const double> inner, std::span<const double> delta_inner);
  /// With its squared distances; if it has none, those that follow from its steps.
  void add(const WeightInnerProducts& other);
};

/// norm(W_t - W_s)² from the steps alone, shape (C, C), symmetric; 0 on the diagonal.
std::vector<double> squares_of_steps(const WeightInnerProducts& products);
/// norm(W_i), shape (C).
std::vector<double> weight_norms(const WeightInnerProducts& products);
/// norm(W_t - W_s), shape (C, C) [s, t], symmetric; 0 on the diagonal. NaN where either is not finite.
std::vector<double> distances(const WeightInnerProducts& products);
/// norm(W_t - W_s) / norm(W_s), shape (C, C) [s, t]; NaN where norm(W_s) is 0.
std::vector<double> relative_drift(const WeightInnerProducts& products);
/// cos(W_s, W_t), shape (C, C), symmetric, in [-1, 1]; exactly 1 on the diagonal; NaN where a norm is 0.
std::vector<double> weight_cosine(const WeightInnerProducts& products);

}  // namespace moescope
