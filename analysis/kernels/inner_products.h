#pragma once
/// Inner products of all pairs of rows, added up block after block in a fixed order.

#include <cstddef>
#include <span>
#include <vector>

#include "metrics/statistics.h"

namespace moescope {

/// Each product is summed in as many interleaved sums.
inline constexpr std::size_t inner_product_lanes = 8;
/// Elements that are summed in lanes; then these are added up with compensation.
inline constexpr std::size_t inner_product_run = 1024;

/// The symmetric matrix <row_i, row_j> of `rows` long vectors of doubles, run after run; add_block forms the
/// lanes.
class InnerProductSum {
 public:
  explicit InnerProductSum(std::size_t rows = 0);

  /// (pairs, inner_product_lanes): lane l of a pair is for the elements l, l + 8, l + 16 … of the run at
  /// hand. The pairs are the upper triangle, row by row.
  std::span<double> lanes();
  /// Whether a row has had nothing but finite elements in the run at hand.
  bool is_finite() const;
  /// A whole run is in the lanes. A shorter one, the last, may be left there.
  void end_run();
  /// Adds the products of further elements that were summed elsewhere.
  void add(const InnerProductSum& other);
  /// Back to zero.
  void clear();
  /// Shape (rows, rows), symmetric.
  std::vector<double> matrix() const;

 private:
  void gather(std::vector<CompensatedSum>& sums) const;

  std::size_t rows_ = 0;
  bool pending_ = false;              // lanes_ are not zero
  std::vector<double> lanes_;         // (pairs, inner_product_lanes)
  std::vector<CompensatedSum> sums_;  // (pairs)
};

}  // namespace moescope
