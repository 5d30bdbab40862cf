#pragma once
/// Text files read from the beginning to the end, plain or compressed, without holding them whole.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

namespace moescope {

/// A stream of text, decompressed according to the file's suffix: .gz (zlib), .zst (Zstandard) or none.
/// Several gzip members or Zstandard frames one after the other are one text. Not thread-safe.
class TextFile {
 public:
  /// Throws std::system_error when the file cannot be opened or is not a regular file.
  explicit TextFile(const std::filesystem::path& path);
  ~TextFile();
  TextFile(TextFile&&) noexcept;
  TextFile& operator=(TextFile&&) noexcept;

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
