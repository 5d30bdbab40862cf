#pragma once
/// Streams of bytes from a file or pipe, as they are or decompressed.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>

namespace moescope {

/// Gives the next bytes of a stream. Not thread-safe.
class ByteStream {
 public:
  virtual ~ByteStream() = default;
  /// Fills the beginning of `destination`, which is not empty; returns the bytes written, 0 only at the end.
  /// Throws FormatError for corrupt or truncated data, std::system_error.
  virtual std::size_t read(std::span<char> destination) = 0;
};

/// What a Zstandard frame may look back on: memory of that size is needed to read it.
inline constexpr std::uint64_t least_zstd_window = std::uint64_t{1} << 27;  // every reader takes as much

/// By suffix: .gz through zlib, .zst through Zstandard; any other by its first bytes, through either, or as
/// it is. Several gzip members (and the zeros that tapes and block devices put behind them) or Zstandard
/// frames are one stream. A pipe, a terminal and /dev/stdin are read once, from where they stand. A Zstandard
/// window may take `memory` bytes, at least least_zstd_window. Throws std::system_error (also for a
/// directory), FormatError.
std::unique_ptr<ByteStream> open_byte_stream(const std::filesystem::path& path,
                                             std::uint64_t memory = least_zstd_window);

/// For messages: "standard input" for /dev/stdin, else the path.
std::string stream_name(const std::filesystem::path& path);

/// Whether it can be read but once, from the beginning to the end: a pipe, a terminal, /dev/stdin. False when
/// it does not exist.
bool is_read_once(const std::filesystem::path& path);

}  // namespace moescope
