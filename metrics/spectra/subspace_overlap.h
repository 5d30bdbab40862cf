#pragma once
/// How far the directions in which a weight acts most strongly stayed the same: the overlap of the subspaces
/// of the leading singular vectors of two matrices.
///
/// The vectors come from the Gram matrix of the short side (see singular_values.h for its cost, accuracy and
/// order of sums), at little more than the cost of the singular values, which come with them. They exist only
/// where rounding leaves them determined: sigma_count > 1e-6 sigma_1. Where sigma_count equals
/// sigma_(count+1), the subspace is not unique and neither is its overlap. All functions are pure,
/// thread-safe, and start no threads.

#include <cstddef>
#include <span>
#include <vector>

#include "metrics/spectra/singular_values.h"

namespace moescope {

enum class SingularSide {
  left,   // directions of the output: vectors as long as a column
  right,  // directions of the input: vectors as long as a row
};

struct LeadingSubspace {
  std::vector<double> singular_values;  // (min(rows, columns)), all of them, descending
  std::size_t count = 0;                // of the vectors; 0 where they are not determined
  std::vector<double> vectors;  // (count, rows or columns), row-major, orthonormal; signs are arbitrary
};

/// The `count` leading vectors of one side; none where the matrix has fewer that are determined (zero, NaN or
/// low-rank matrices, or count over min(rows, columns)).
LeadingSubspace leading_subspace(const WeightMatrix& matrix, SingularSide side, std::size_t count);

/// The vectors of the short side, for a caller that formed its Gram matrix, shape (size, size), otherwise.
LeadingSubspace leading_subspace_of_gram(std::vector<double> gram, std::size_t size, std::size_t count);

/// norm(U_sᵀ U_t)_F² / count, in [0, 1]: the mean squared cosine of the principal angles. 1 for the same
/// subspace, 0 for orthogonal ones, count / length by chance (length: of a vector). NaN where a subspace has
/// no vectors or their counts differ.
double subspace_overlap(const LeadingSubspace& a, const LeadingSubspace& b);

}  // namespace moescope
