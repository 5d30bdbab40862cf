#pragma once
/// Splits normalized text into the pre-tokens inside which byte-pair encoding merges.

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "readers/tokenizer/text_steps.h"

namespace moescope {

/// Linear in the length of the text. Thread-safe.
class PreTokenizer {
 public:
  /// `regexes` are known split patterns; each splits what the one before left. They come with a byte-level
  /// vocabulary, `space_split` with one over characters.
  PreTokenizer(const std::vector<std::string>& regexes, SpaceSplit space_split);
  ~PreTokenizer();
  PreTokenizer(PreTokenizer&&) noexcept;
  PreTokenizer& operator=(PreTokenizer&&) noexcept;

  /// Calls `take` with each pre-token in order; together they are the whole of `utf8`, which must be valid.
  void split(std::string_view utf8, const std::function<void(std::string_view)>& take) const;

 private:
  struct Steps;
  std::unique_ptr<const Steps> steps_;
};

}  // namespace moescope
