#include "analysis/kernels/transpose.h"

#include <gtest/gtest.h>

#include <cstring>
#include <vector>

namespace moescope {
namespace {

/// A matrix (rows, columns) whose elements are their own numbers, put together from pieces of its transpose.
template <class Element>
std::vector<Element> put_together(std::uint64_t rows, std::uint64_t columns, std::uint64_t piece_elements,
                                  std::uint64_t rows_a_call) {
  std::vector<Element> stored(rows * columns), matrix(rows * columns);
  for (std::uint64_t i = 0; i < stored.size(); ++i)
    stored[i] = static_cast<Element>(i % rows * columns + i / rows);
  std::vector<std::byte> unaligned(stored.size() * sizeof(Element) + 1);
  std::memcpy(unaligned.data() + 1, stored.data(), stored.size() * sizeof(Element));
  for (std::uint64_t first = 0; first < stored.size(); first += piece_elements) {
    const std::uint64_t count = std::min<std::uint64_t>(piece_elements, stored.size() - first);
    const auto bytes = std::span(unaligned).subspan(1 + first * sizeof(Element), count * sizeof(Element));
    for (std::uint64_t row = 0; row < rows; row += rows_a_call)
      put_rows({bytes, first, rows, columns, sizeof(Element)}, row, std::min(rows, row + rows_a_call),
               std::as_writable_bytes(std::span(matrix)));
  }
  return matrix;
}

template <class Element>
void expect_in_order(const std::vector<Element>& matrix) {
  for (std::size_t i = 0; i < matrix.size(); ++i) ASSERT_EQ(matrix[i], static_cast<Element>(i)) << i;
}

TEST(Transpose, PutsEveryElementInItsPlaceHoweverItComes) {
  for (const std::uint64_t piece : {1u, 7u, 100u, 130u, 4096u, 100'000u}) {
    for (const std::uint64_t rows : {1u, 33u, 1000u}) {
      expect_in_order(put_together<std::uint16_t>(130, 77, piece, rows));
      expect_in_order(put_together<std::uint32_t>(65, 300, piece, rows));
      expect_in_order(put_together<std::uint32_t>(1, 19, piece, rows));
      expect_in_order(put_together<std::uint16_t>(19, 1, piece, rows));
    }
  }
}

}  // namespace
}  // namespace moescope
