#pragma once
/// Byte-pair encoding of pre-tokens over the 256 bytes.

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace moescope {

struct VocabularyEntry {
  std::string bytes;
  std::uint32_t id = 0;
};

/// Two neighbours that become one token.
struct BpeMerge {
  std::uint32_t left = 0, right = 0;  // ids
  std::uint32_t merged = 0;           // id
};

struct BpeToken {
  std::uint32_t id = 0;
  std::uint32_t length = 0;  // bytes
};

/// Immutable and thread-safe.
class ByteLevelBpe {
 public:
  /// `byte_ids[b]` is the token of byte b alone; `merges` come by rank, the one to apply first first. Of two
  /// merges of the same pair the later one counts, as in the reference library.
  ByteLevelBpe(const std::array<std::uint32_t, 256>& byte_ids, const std::vector<BpeMerge>& merges);

  /// Appends the tokens of `pre_token` to `tokens`: again and again the adjacent pair of lowest rank becomes
  /// one token, the leftmost first. Takes time n log n for n bytes.
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
  void encode_short(std::string_view pre_token, std::vector<BpeToken>& tokens) const;
  void encode_long(std::string_view pre_token, std::vector<BpeToken>& tokens) const;

  std::array<std::uint32_t, 256> byte_ids_;
  std::unordered_map<std::uint64_t, Ranked, PairHash> merges_;
};

}  // namespace moescope
