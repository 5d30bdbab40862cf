#pragma once
/// Matrices that are stored transposed, brought into the order of rows.

#include <cstddef>
#include <cstdint>
#include <span>

namespace moescope {

/// A piece of a matrix (rows, columns) as it lies in a file, column by column.
struct TransposedPiece {
  std::span<const std::byte> bytes;
  std::uint64_t first = 0;  // element, counted as stored
  std::uint64_t rows = 0, columns = 0;
  std::size_t width = 2;  // bytes of an element, 2 or 4
};

/// Puts the piece's elements of the rows [first_row, end_row) where they belong in `matrix`, which is whole,
/// row-major, of elements as stored. Thread-safe for different rows.
void put_rows(const TransposedPiece& piece, std::uint64_t first_row, std::uint64_t end_row,
              std::span<std::byte> matrix);

}  // namespace moescope
