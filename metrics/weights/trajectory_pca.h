#pragma once
/// Principal components of a trajectory of weights: the few directions in which training moved them, and
/// where each checkpoint stands along them. Pure and thread-safe.

#include <cstddef>
#include <vector>

#include "metrics/weights/weight_drift.h"

namespace moescope {

/// C checkpoints around their mean span C-1 directions.
struct TrajectoryPca {
  std::size_t components = 0;
  std::vector<double> eigenvalues;  // (C-1) descending: sum of squared coordinates along each component
  std::vector<double> shares;       // (C-1) of the sum of eigenvalues; NaN where nothing moved
  std::vector<double> coordinates;  // (C, C-1): of W_c - mean(W); distances between rows are those of weights
};

/// Eigenvalues and eigenvectors of the centred C x C Gram matrix <W_a - mean(W), W_b - mean(W)>, which is
/// formed from the products of the updates, so that nothing cancels. Eigenvalues that are no more than
/// rounding are 0, and so are their coordinates. Checkpoints with elements that are not finite are left out,
/// if the distances of the others are known: their coordinates are NaN, and so is one component for each. All
/// NaN when the distances are not known.
///
/// The sign of a component: training went from the first to the last checkpoint in its positive direction;
/// where these two stand at the same place, the first checkpoint that is not at 0 is on the positive side.
/// Components of equal eigenvalues may be any orthonormal basis of their plane.
TrajectoryPca trajectory_pca(const WeightInnerProducts& products);

}  // namespace moescope
