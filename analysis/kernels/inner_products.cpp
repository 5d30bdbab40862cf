#include "analysis/kernels/inner_products.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cstdint>

namespace moescope {
namespace {

constexpr std::size_t lane_count = inner_product_lanes;

}  // namespace

InnerProductSum::InnerProductSum(std::size_t rows)
    : rows_(rows), lanes_(rows * (rows + 1) / 2 * lane_count), sums_(rows * (rows + 1) / 2) {}

std::span<double> InnerProductSum::lanes() {
  pending_ = true;
  return lanes_;
}

void InnerProductSum::end_run() {
  gather(sums_);
  std::ranges::fill(lanes_, 0.0);
  pending_ = false;
}

/// The square of a float is finite as a double; an exponent of ones alone carries into the sign bit when 1 is
/// added to it.
bool InnerProductSum::is_finite() const {
  constexpr std::uint64_t exponent = 0x7ff0000000000000, one = 0x0010000000000000;
  std::uint64_t carried = 0;
  for (std::size_t row = 0, pair = 0; row < rows_; pair += rows_ - row++) {
    for (std::size_t lane = 0; lane < lane_count; ++lane)
      carried |= (std::bit_cast<std::uint64_t>(lanes_[pair * lane_count + lane]) & exponent) + one;
  }
  return carried >> 63 == 0;
}

/// Adds the lanes to `sums`.
void InnerProductSum::gather(std::vector<CompensatedSum>& sums) const {
  for (std::size_t pair = 0; pair < sums.size(); ++pair) {
    const double* lane = &lanes_[pair * lane_count];
    const auto both = [&](std::size_t l) { return lane[l] + lane[l + lane_count / 2]; };
    sums[pair].add((both(0) + both(1)) + (both(2) + both(3)));
  }
}

void InnerProductSum::add(const InnerProductSum& other) {
  assert(rows_ == other.rows_);
  for (std::size_t pair = 0; pair < sums_.size(); ++pair) sums_[pair].add(other.sums_[pair].value());
  if (other.pending_) other.gather(sums_);
}

void InnerProductSum::clear() {
  std::ranges::fill(lanes_, 0.0);
  std::ranges::fill(sums_, CompensatedSum{});
  pending_ = false;
}

std::vector<double> InnerProductSum::matrix() const {
  std::vector<CompensatedSum> sums = sums_;
  if (pending_) gather(sums);
  std::vector<double> products(rows_ * rows_);
  std::size_t pair = 0;
  for (std::size_t i = 0; i < rows_; ++i) {
    for (std::size_t j = i; j < rows_; ++j, ++pair) {
      products[i * rows_ + j] = products[j * rows_ + i] = sums[pair].value();
    }
  }
  return products;
}

}  // namespace moescope
