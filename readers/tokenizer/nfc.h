#pragma once
/// Unicode normalization form C that remembers where each byte came from.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace moescope {

/// A stretch of text that normalization replaced, in bytes. Both ends lie between characters.
struct NfcChange {
  std::size_t normalized_start = 0, normalized_end = 0;
  std::size_t original_start = 0, original_end = 0;
};

struct NormalizedText {
  std::string text;
  std::vector<NfcChange> changes;  // ascending; all other bytes are as they were
};

/// Normalizes as the reference library does, whose tables are those of Unicode 9.0: characters that are newer
/// neither compose nor move. Thread-safe.
class NfcNormalizer {
 public:
  NfcNormalizer();
  ~NfcNormalizer();
  NfcNormalizer(NfcNormalizer&&) noexcept;
  NfcNormalizer& operator=(NfcNormalizer&&) noexcept;

  /// Empty when the text is in normalization form C already. `utf8` is valid and shorter than 2 GiB.
  std::optional<NormalizedText> normalize(std::string_view utf8) const;

 private:
  struct Tables;
  std::unique_ptr<const Tables> tables_;
};

/// Maps ascending positions in normalized text to positions in the original.
class OriginalOffsets {
 public:
  /// `changes` must outlive it.
  explicit OriginalOffsets(const std::vector<NfcChange>& changes) : changes_(changes) {}
  /// Inside a change: the start of what was replaced. `position` is not less than in the last call.
  std::size_t at(std::size_t position);

 private:
  const std::vector<NfcChange>& changes_;
  std::size_t next_ = 0;  // first change that does not end before the last position
};

}  // namespace moescope
