#pragma once
/// Unicode normalization form C that remembers where each byte came from.

#include <memory>
#include <optional>
#include <string_view>

#include "readers/tokenizer/normalized_text.h"

namespace moescope {

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

}  // namespace moescope
