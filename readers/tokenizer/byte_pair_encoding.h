#pragma once
/// Byte-pair encoding of pre-tokens, over bytes or over characters.

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace moescope {

/// Two neighbours that become one token.
struct BpeMerge {
  std::uint32_t left = 0, right = 0;  // ids
  std::uint32_t merged = 0;           // id
};

struct BpeToken {
  std::uint32_t id = 0;
  std::uint32_t length = 0;  // bytes
};

/// UTF-8 -> id. Looked up without a copy.
struct TextHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
};
using IdByText = std::unordered_map<std::string, std::uint32_t, TextHash, std::equal_to<>>;

/// What byte-pair encoding goes by.
struct BpeRules {
  IdByText character_ids;                     // of characters that are tokens; empty: no character is one
  std::array<std::uint32_t, 256> byte_ids{};  // of the bytes of all other characters
  /// By rank, the one to apply first first. Of two merges of the same pair the later one counts, as in the
  /// reference library.
  std::vector<BpeMerge> merges;
  IdByText whole_ids;  // of pre-tokens that are one token whatever the merges make of them
};

/// Immutable and thread-safe.
class BytePairEncoding {
 public:
  explicit BytePairEncoding(BpeRules rules);

  /// Appends the tokens of `pre_token` to `tokens`: from those of its characters and bytes, again and again
  /// the adjacent pair of lowest rank becomes one token, the leftmost first. Takes time n log n for n bytes.
  void encode(std::string_view pre_token, std::vector<BpeToken>& tokens) const;

 private:
  struct Ranked {
    std::uint32_t rank = 0;
    std::uint32_t merged = 0;
  };
  struct PairHash {
    std::size_t operator()(std::uint64_t pair) const { return (pair * 0x9E3779B97F4A7C15u) >> 20; }
  };
  class Chain;

  Ranked rank_of(std::uint32_t left, std::uint32_t right) const;
  void append_unmerged(std::string_view pre_token, std::vector<BpeToken>& tokens) const;
  void merge_few(std::vector<BpeToken>& tokens, std::size_t first) const;
  void merge_many(std::vector<BpeToken>& tokens, std::size_t first) const;

  std::array<std::uint32_t, 256> byte_ids_;
  IdByText character_ids_;
  IdByText whole_ids_;
  std::unordered_map<std::uint64_t, Ranked, PairHash> merges_;
};

}  // namespace moescope
