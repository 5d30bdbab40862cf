#pragma once
/// Inner products of all pairs of rows, added up block after block in a fixed order.

#include <cstddef>
#include <span>
#include <vector>

#include "metrics/statistics.h"

namespace moescope {

/// Rows are handed over in blocks whose length is a multiple of this (padded with zeros).
inline constexpr std::size_t inner_product_lanes = 8;

/// The symmetric matrix <row_i, row_j> of `rows` long vectors of doubles. Within a block each product is
/// summed in inner_product_lanes interleaved sums, the same on every processor; blocks are added with
/// compensation.
class InnerProductSum {
 public:
  explicit InnerProductSum(std::size_t rows = 0);

  /// `block` is (rows, length), row-major. It should fit into the second-level cache.
  void add(std::span<const double> block, std::size_t length);
  /// Adds the products of further elements that were summed elsewhere.
  void add(const InnerProductSum& other);
  /// Shape (rows, rows), symmetric.
  std::vector<double> matrix() const;

 private:
  std::size_t rows_ = 0;
  std::vector<CompensatedSum> sums_;  // (rows, rows), upper triangle
};

}  // namespace moescope
