#include "readers/tokenizer/byte_level_bpe.h"

#include <algorithm>
#include <limits>
#include <queue>

namespace moescope {
namespace {

constexpr std::uint32_t no_rank = std::numeric_limits<std::uint32_t>::max();

// Up to this many bytes, looking through all ranks for the lowest is faster than keeping them in a queue.
constexpr std::size_t short_bytes = 48;

std::uint64_t pair_key(std::uint32_t left, std::uint32_t right) {
  return std::uint64_t{left} << 32 | right;
}

}  // namespace

ByteLevelBpe::ByteLevelBpe(const std::array<std::uint32_t, 256>& byte_ids,
                           const std::vector<BpeMerge>& merges)
    : byte_ids_(byte_ids) {
  merges_.reserve(merges.size());
  std::uint32_t rank = 0;
  for (const BpeMerge& merge : merges) merges_[pair_key(merge.left, merge.right)] = {rank++, merge.merged};
}

ByteLevelBpe::Ranked ByteLevelBpe::rank_of(std::uint32_t left, std::uint32_t right) const {
  const auto found = merges_.find(pair_key(left, right));
  return found == merges_.end() ? Ranked{no_rank, 0} : found->second;
}

void ByteLevelBpe::encode(std::string_view pre_token, std::vector<BpeToken>& tokens) const {
  if (pre_token.size() <= short_bytes) {
    encode_short(pre_token, tokens);
  } else {
    encode_long(pre_token, tokens);
  }
}

void ByteLevelBpe::encode_short(std::string_view pre_token, std::vector<BpeToken>& tokens) const {
  std::array<BpeToken, short_bytes> parts;
  std::array<Ranked, short_bytes> pairs;  // pairs[i]: parts i and i + 1
  std::size_t count = 0;
  for (const char byte : pre_token) parts[count++] = {byte_ids_[static_cast<unsigned char>(byte)], 1};
  for (std::size_t i = 0; i + 1 < count; ++i) pairs[i] = rank_of(parts[i].id, parts[i + 1].id);

  while (count > 1) {
    const auto best = std::min_element(pairs.begin(), pairs.begin() + (count - 1),
                                       [](const Ranked& a, const Ranked& b) { return a.rank < b.rank; });
    if (best->rank == no_rank) break;
    const auto i = static_cast<std::size_t>(best - pairs.begin());
    parts[i] = {best->merged, parts[i].length + parts[i + 1].length};
    --count;
    std::copy(parts.begin() + i + 2, parts.begin() + count + 1, parts.begin() + i + 1);
    if (i + 1 < count) std::copy(pairs.begin() + i + 2, pairs.begin() + count, pairs.begin() + i + 1);
    if (i > 0) pairs[i - 1] = rank_of(parts[i - 1].id, parts[i].id);
    if (i + 1 < count) pairs[i] = rank_of(parts[i].id, parts[i + 1].id);
  }
  tokens.insert(tokens.end(), parts.begin(), parts.begin() + count);
}

/// The parts of a long pre-token as a doubly linked list with a queue of the pairs that can merge.
class ByteLevelBpe::Chain {
 public:
  /// `pre_token` is shorter than 4 GiB.
  Chain(const ByteLevelBpe& bpe, std::string_view pre_token) : bpe_(bpe), links_(pre_token.size()) {
    const auto count = static_cast<std::uint32_t>(links_.size());
    for (std::uint32_t i = 0; i < count; ++i) {
      links_[i] = {{bpe.byte_ids_[static_cast<unsigned char>(pre_token[i])], 1}, i - 1, i + 1};
    }
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

  const ByteLevelBpe& bpe_;
  std::vector<Link> links_;
  std::priority_queue<Candidate> candidates_;
};

void ByteLevelBpe::encode_long(std::string_view pre_token, std::vector<BpeToken>& tokens) const {
  Chain chain(*this, pre_token);
  chain.merge_all();
  chain.append_to(tokens);
}

}  // namespace moescope
