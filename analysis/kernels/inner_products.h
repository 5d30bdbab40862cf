#pragma once
/// Inner products of all pairs of rows, added up block after block in a fixed order.

#include <cstddef>
#include <span>
#include <vector>

#include "metrics/statistics.h"

namespace moescope {

/// Rows are handed over in blocks whose length is a multiple of this (padded with zeros).
inline constexpr std::size_t inner_product_lanes = 8;
inline constexpr std::size_t inner_product_run = 1024;

/// The symmetric matrix <row_i, row_j> of `rows` long vectors of doubles. Each product is summed in
/// inner_product_lanes interleaved sums, the same on every processor; after every inner_product_run elements
/// these are added up with compensation.
class InnerProductSum {
 public:
  explicit InnerProductSum(std::size_t rows = 0);

  /// `block` is (rows, length), row-major. It should fit into the first-level cache.
  void add(std::span<const double> block, std::size_t length);
  /// Adds the products of further elements that were summed elsewhere.
  void add(const InnerProductSum& other);
  /// Back to zero.
  void clear();
  /// Shape (rows, rows), symmetric.
  std::vector<double> matrix() const;

 private:
  void gather(std::vector<CompensatedSum>& sums) const;

  std::size_t rows_ = 0, pending_ = 0;  // elements in lanes_
  std::vector<double> lanes_;           // (pairs, inner_product_lanes)
  std::vector<CompensatedSum> sums_;    // (pairs): the upper triangle, row by row
};

/// Rows of `length` floats as doubles, into `wide` of the same shape; and each of them minus the one before,
/// into `differences` of one row less. Returns whether all are finite.
bool widen(std::span<const float> values, std::size_t length, std::span<double> wide,
           std::span<double> differences);

}  // namespace moescope
