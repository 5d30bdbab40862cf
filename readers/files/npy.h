#pragma once
/// NumPy's .npy files of integers, versions 1 to 3 of the format (numpy/lib/format.py).

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "readers/files/source_file.h"

namespace moescope {

/// Element types that are read: all little-endian.
enum class NpyType : std::uint8_t { int32, int64, uint16, uint32 };
std::uint64_t npy_type_bytes(NpyType type);

struct NpyHeader {
  NpyType type = NpyType::int64;
  std::uint64_t rows = 0, columns = 0;  // of a one-dimensional array: one row
  std::uint64_t data_offset = 0;        // bytes before the elements, which lie in C order

  std::uint64_t row_bytes() const { return columns * npy_type_bytes(type); }
};

/// Bytes that hold any header we accept.
inline constexpr std::uint64_t greatest_npy_header = 1u << 16;

/// Parses the header at the beginning of a file of `file_bytes` bytes; `start` is that beginning, at least
/// min(file_bytes, greatest_npy_header) bytes. Checks that the elements are the rest of the file. Throws
/// FormatError, also for other dtypes, Fortran order and more than two dimensions. Trusts no byte.
NpyHeader parse_npy_header(std::string_view start, std::uint64_t file_bytes, const std::string& file);

/// An open file. Thread-safe.
class NpyFile {
 public:
  /// Throws FormatError, std::system_error.
  explicit NpyFile(const std::filesystem::path& path);

  const NpyHeader& header() const { return header_; }
  /// Elements `begin` to `end` of one row. Throws std::system_error.
  std::vector<std::int64_t> read(std::uint64_t row, std::uint64_t begin, std::uint64_t end) const;

 private:
  SourceFile file_;
  NpyHeader header_;
};

}  // namespace moescope
