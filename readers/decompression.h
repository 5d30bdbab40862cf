#pragma once
/// Streams of bytes from a file, as they are or decompressed.

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>

namespace moescope {

/// Gives the next bytes of a stream. Not thread-safe.
class ByteStream {
 public:
  virtual ~ByteStream() = default;
  /// Fills the beginning of `destination`, which is not empty; returns the bytes written, 0 only at the end.
  /// Throws FormatError for corrupt or truncated data, std::system_error.
  virtual std::size_t read(std::span<char> destination) = 0;
};

/// By suffix: .gz through zlib, .zst through Zstandard, any other as it is. Throws std::system_error.
std::unique_ptr<ByteStream> open_byte_stream(const std::filesystem::path& path);

}  // namespace moescope
