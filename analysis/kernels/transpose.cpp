#include "analysis/kernels/transpose.h"

#include <algorithm>
#include <cassert>
#include <cstring>

namespace moescope {
namespace {

/// Rows and columns that go together: what is read and written of them stays in the first-level cache.
constexpr std::uint64_t rows_at_once = 64, columns_at_once = 16;

/// Rows [first_row, end_row) of so many neighbouring columns, all in the piece.
template <std::size_t width, std::uint64_t count>
void put_columns(const TransposedPiece& piece, std::uint64_t column, std::uint64_t first_row,
                 std::uint64_t end_row, std::byte* matrix) {
  for (std::uint64_t row = first_row; row < end_row; ++row) {
    const std::byte* from = piece.bytes.data() + (column * piece.rows + row - piece.first) * width;
    std::byte elements[count * width];
    for (std::uint64_t c = 0; c < count; ++c)
      std::memcpy(elements + c * width, from + c * piece.rows * width, width);
    std::memcpy(matrix + (row * piece.columns + column) * width, elements, sizeof(elements));
  }
}

/// The piece may begin and end within a column.
template <std::size_t width>
void put_block(const TransposedPiece& piece, std::uint64_t first_row, std::uint64_t end_row,
               std::byte* matrix) {
  const std::uint64_t end = piece.first + piece.bytes.size() / width;
  for (std::uint64_t column = piece.first / piece.rows; column * piece.rows < end;) {
    const std::uint64_t top = column * piece.rows;  // where the column begins
    if (top >= piece.first && top + columns_at_once * piece.rows <= end) {
      put_columns<width, columns_at_once>(piece, column, first_row, end_row, matrix);
      column += columns_at_once;
    } else {
      const std::uint64_t begin = std::max(top, piece.first) - top;
      put_columns<width, 1>(piece, column, std::max(first_row, begin), std::min(end_row, end - top), matrix);
      ++column;
    }
  }
}

}  // namespace

void put_rows(const TransposedPiece& piece, std::uint64_t first_row, std::uint64_t end_row,
              std::span<std::byte> matrix) {
  assert((piece.width == 2 || piece.width == 4) && matrix.size() == piece.rows * piece.columns * piece.width);
  for (std::uint64_t row = first_row; row < end_row; row += rows_at_once) {
    const std::uint64_t end = std::min(end_row, row + rows_at_once);
    piece.width == 2 ? put_block<2>(piece, row, end, matrix.data())
                     : put_block<4>(piece, row, end, matrix.data());
  }
}

}  // namespace moescope
