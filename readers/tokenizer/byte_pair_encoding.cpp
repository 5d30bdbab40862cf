#include "readers/tokenizer/byte_pair_encoding.h"

#include <algorithm>
#include <limits>
#include <queue>

namespace moescope {
namespace {

constexpr std::uint32_t no_rank = std::numeric_limits<std::uint32_t>::max();

// Up to this many parts, looking through all ranks for the lowest is faster than keeping them in a queue.
constexpr std::size_t few_parts = 48;

std::uint64_t pair_key(std::uint32_t left, std::uint32_t right) {
  return std::uint64_t{left} << 32 | right;
}

// Bytes of the character that valid UTF-8 begins with.
std::size_t first_character_length(std::string_view utf8) {
  const auto byte = static_cast<unsigned char>(utf8.front());
  return byte < 0x80 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
}

}  // namespace

BytePairEncoding::BytePairEncoding(BpeRules rules)
    : byte_ids_(rules.byte_ids),
      character_ids_(std::move(rules.character_ids)),
      whole_ids_(std::move(rules.whole_ids)) {
  merges_.reserve(rules.merges.size());
  std::uint32_t rank = 0;
  for (const BpeMerge& merge : rules.merges) {
    merges_[pair_key(merge.left, merge.right)] = {rank++, merge.merged};
  }
}

BytePairEncoding::Ranked BytePairEncoding::rank_of(std::uint32_t left, std::uint32_t right) const {
  const auto found = merges_.find(pair_key(left, right));
  return found == merges_.end() ? Ranked{no_rank, 0} : found->second;
}

void BytePairEncoding::encode(std::string_view pre_token, std::vector<BpeToken>& tokens) const {
  if (const auto whole = whole_ids_.find(pre_token); whole != whole_ids_.end()) {
    tokens.push_back({whole->second, static_cast<std::uint32_t>(pre_token.size())});
    return;
  }
  const std::size_t first = tokens.size();
  append_unmerged(pre_token, tokens);
  if (tokens.size() - first <= few_parts) {
    merge_few(tokens, first);
  } else {
    merge_many(tokens, first);
  }
}

void BytePairEncoding::append_unmerged(std::string_view pre_token, std::vector<BpeToken>& tokens) const {
  const auto append_bytes = [&](std::string_view bytes) {
    for (const char byte : bytes) tokens.push_back({byte_ids_[static_cast<unsigned char>(byte)], 1});
  };
  if (character_ids_.empty()) return append_bytes(pre_token);
  while (!pre_token.empty()) {
    const std::size_t length = first_character_length(pre_token);
    const auto found = character_ids_.find(pre_token.substr(0, length));
    if (found == character_ids_.end()) {
      append_bytes(pre_token.substr(0, length));
    } else {
      tokens.push_back({found->second, static_cast<std::uint32_t>(length)});
    }
    pre_token.remove_prefix(length);
  }
}

void BytePairEncoding::merge_few(std::vector<BpeToken>& tokens, std::size_t first) const {
  std::size_t count = tokens.size() - first;
  const auto parts = tokens.begin() + static_cast<std::ptrdiff_t>(first);
  std::array<Ranked, few_parts> pairs;  // pairs[i]: parts i and i + 1
  for (std::size_t i = 0; i + 1 < count; ++i) pairs[i] = rank_of(parts[i].id, parts[i + 1].id);

  while (count > 1) {
    const auto best = std::min_element(pairs.begin(), pairs.begin() + (count - 1),
                                       [](const Ranked& a, const Ranked& b) { return a.rank < b.rank; });
    if (best->rank == no_rank) break;
    const auto i = best - pairs.begin();
    parts[i] = {best->merged, parts[i].length + parts[i + 1].length};
    --count;
    const auto end = static_cast<std::ptrdiff_t>(count);
    std::copy(parts + i + 2, parts + end + 1, parts + i + 1);
    if (i + 1 < end) std::copy(pairs.begin() + i + 2, pairs.begin() + end, pairs.begin() + i + 1);
    if (i > 0) pairs[i - 1] = rank_of(parts[i - 1].id, parts[i].id);
    if (i + 1 < end) pairs[i] = rank_of(parts[i].id, parts[i + 1].id);
  }
  tokens.resize(first + count);
}

/// Many parts as a doubly linked list with a queue of the pairs that can merge.
class BytePairEncoding::Chain {
 public:
  /// Of the tokens from `first` on, whose bytes are less than 4 GiB.
  Chain(const BytePairEncoding& bpe, const std::vector<BpeToken>& tokens, std::size_t first)
      : bpe_(bpe), links_(tokens.size() - first) {
    const auto count = static_cast<std::uint32_t>(links_.size());
    for (std::uint32_t i = 0; i < count; ++i) links_[i] = {tokens[first + i], i - 1, i + 1};
    for (std::uint32_t i = 0; i + 1 < count; ++i) offer(i);
  }

  void merge_all() {
    while (!candidates_.empty()) {
      const Candidate candidate = candidates_.top();
      candidates_.pop();
      if (is_current(candidate)) merge(candidate);
    }
  }

  void append_to(std::vector<BpeToken>& tokens) const {
    for (std::size_t i = 0; i < links_.size(); i = links_[i].next) tokens.push_back(links_[i].part);
  }

 private:
  struct Link {
    BpeToken part;  // length 0: was merged into the one before
    std::uint32_t previous = 0, next = 0;
  };
  struct Candidate {
    std::uint32_t rank = 0;
    std::uint32_t merged = 0;
    std::uint32_t left = 0;
    std::uint32_t length = 0;  // of both; tells whether the pair is still the same

    // The queue's top is its greatest: lowest rank, then leftmost.
    bool operator<(const Candidate& other) const {
      return rank != other.rank ? rank > other.rank : left > other.left;
    }
  };

  void offer(std::uint32_t left) {
    const Link& link = links_[left];
    if (link.next >= links_.size()) return;
    const BpeToken& right = links_[link.next].part;
    const Ranked ranked = bpe_.rank_of(link.part.id, right.id);
    if (ranked.rank == no_rank) return;
    candidates_.push({ranked.rank, ranked.merged, left, link.part.length + right.length});
  }

  // Parts only grow, so pairs of one length that begin at one place are the same pair.
  bool is_current(const Candidate& candidate) const {
    const Link& left = links_[candidate.left];
    return left.part.length > 0 && left.next < links_.size() &&
           left.part.length + links_[left.next].part.length == candidate.length;
  }

  void merge(const Candidate& candidate) {
    Link& left = links_[candidate.left];
    Link& right = links_[left.next];
    left.part = {candidate.merged, left.part.length + right.part.length};
    right.part.length = 0;
    left.next = right.next;
    if (left.next < links_.size()) links_[left.next].previous = candidate.left;
    if (candidate.left > 0) offer(left.previous);
    offer(candidate.left);
  }

  const BytePairEncoding& bpe_;
  std::vector<Link> links_;
  std::priority_queue<Candidate> candidates_;
};

void BytePairEncoding::merge_many(std::vector<BpeToken>& tokens, std::size_t first) const {
  Chain chain(*this, tokens, first);
  chain.merge_all();
  tokens.resize(first);
  chain.append_to(tokens);
}

}  // namespace moescope
