#pragma once
/// The tokens of pre-tokens that came before: most of a text is few different words.

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "readers/tokenizer/byte_pair_encoding.h"

namespace moescope {

/// Belongs to one call and thread.
class PreTokenCache {
 public:
  /// `bpe` must outlive it.
  explicit PreTokenCache(const BytePairEncoding& bpe) : bpe_(bpe) {}

  /// Valid until the next call.
  std::span<const BpeToken> tokens(std::string_view pre_token);

 private:
  struct Range {
    std::size_t begin = 0, count = 0;  // in tokens_
  };

  const BytePairEncoding& bpe_;
  std::unordered_map<std::string, Range, TextHash, std::equal_to<>> ranges_;
  std::vector<BpeToken> tokens_;    // of all cached pre-tokens
  std::vector<BpeToken> uncached_;  // of the last pre-token that was not worth keeping
};

}  // namespace moescope
