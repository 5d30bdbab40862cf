#pragma once
/// Text files read from the beginning to the end, plain or compressed, without holding them whole.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "readers/files/decompression.h"

namespace moescope {

/// A stream of text in UTF-8, decompressed as open_byte_stream does. A byte order mark at its beginning is no
/// part of it. Not thread-safe.
class TextFile {
 public:
  /// `memory` is that of open_byte_stream. Throws std::system_error when the file cannot be opened or is a
  /// directory; FormatError for text in UTF-16 or UTF-32 and for what takes the place of a file.
  explicit TextFile(const std::filesystem::path& path, std::uint64_t memory = least_zstd_window);
  ~TextFile();
  TextFile(TextFile&&) noexcept;
  TextFile& operator=(TextFile&&) noexcept;

  /// What the text begins with, up to some hundred bytes. Only before anything is read.
  std::string_view start() const;

  /// Reads the next line, without its line feed. False at the end of the file. Throws FormatError for corrupt
  /// or truncated compressed data and for a line of more than 1 GiB, std::system_error.
  bool read_line(std::string& line);
  /// All that has not been read, likewise.
  std::string read_rest();

  const std::string& name() const;    // for messages
  std::uint64_t line_number() const;  // of the last line read, from 1

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace moescope
