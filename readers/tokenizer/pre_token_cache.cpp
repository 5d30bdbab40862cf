#include "readers/tokenizer/pre_token_cache.h"

namespace moescope {
namespace {

// Longer ones hardly come again.
constexpr std::size_t longest_cached = 32;
// Bounds the memory for texts without end; by then the common words are in.
constexpr std::size_t most_cached = 1u << 18;

}  // namespace

std::span<const BpeToken> PreTokenCache::tokens(std::string_view pre_token) {
  const bool is_short = pre_token.size() <= longest_cached;
  if (is_short) {
    const auto known = ranges_.find(pre_token);
    if (known != ranges_.end()) return std::span(tokens_).subspan(known->second.begin, known->second.count);
  }
  if (!is_short || ranges_.size() == most_cached) {
    uncached_.clear();
    bpe_.encode(pre_token, uncached_);
    return uncached_;
  }
  const std::size_t begin = tokens_.size();
  bpe_.encode(pre_token, tokens_);
  const Range range{begin, tokens_.size() - begin};
  ranges_.emplace(pre_token, range);
  return std::span(tokens_).subspan(range.begin, range.count);
}

}  // namespace moescope
