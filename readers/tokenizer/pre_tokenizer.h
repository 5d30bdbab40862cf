#pragma once
/// Splits normalized text into the pre-tokens inside which a byte-level BPE merges.

#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace moescope {

/// The patterns that we know to split as the reference library does, as a tokenizer.json spells them.
bool is_known_split_pattern(std::string_view regex);

/// Letters, numbers and white space are those of Unicode 16.0, as in the Oniguruma 6.9.10 inside the
/// reference library. Linear in the length of the text. Thread-safe.
class PreTokenizer {
 public:
  /// `regex` is a known split pattern.
  explicit PreTokenizer(std::string_view regex);
  ~PreTokenizer();
  PreTokenizer(PreTokenizer&&) noexcept;
  PreTokenizer& operator=(PreTokenizer&&) noexcept;

  /// Calls `take` with each pre-token in order; together they are the whole of `utf8`, which must be valid.
  void split(std::string_view utf8, const std::function<void(std::string_view)>& take) const;

 private:
  struct Program;
  std::unique_ptr<const Program> program_;
};

}  // namespace moescope
