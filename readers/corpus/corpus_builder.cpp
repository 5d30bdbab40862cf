#include "readers/corpus/corpus_builder.h"

#include <utility>

namespace moescope {

std::size_t CorpusBuilder::room(const std::string& domain) const {
  const auto found = domain_index_.find(domain);
  const std::size_t tokens =
      found == domain_index_.end() ? 0 : domain_tokens_[static_cast<std::size_t>(found->second)];
  return max_tokens_ - tokens;
}

void CorpusBuilder::begin_document(const std::string& domain) {
  domain_ = domain;
  domain_number_ = -1;
}

void CorpusBuilder::begin_domain() {
  const auto next = static_cast<std::int32_t>(corpus_.domains.size());
  const auto [entry, is_new] = domain_index_.try_emplace(domain_, next);
  if (is_new) {
    corpus_.domains.push_back(domain_);
    domain_tokens_.push_back(0);
  }
  domain_number_ = entry->second;
}

bool CorpusBuilder::append(std::uint32_t id, std::int64_t text_offset) {
  const bool is_first = domain_number_ < 0;
  if (is_first ? is_full(domain_) : domain_tokens_[static_cast<std::size_t>(domain_number_)] >= max_tokens_) {
    return false;
  }
  if (is_first) {
    begin_domain();
    ++documents_;
  }
  if (is_first || position_ == sequence_length_) {
    corpus_.sequence_start.push_back(corpus_.tokens());
    position_ = 0;
  }
  corpus_.token_id.push_back(id);
  corpus_.document.push_back(documents_ - 1);
  corpus_.position.push_back(static_cast<std::int32_t>(position_++));
  corpus_.domain.push_back(domain_number_);
  corpus_.text_offset.push_back(text_offset);
  ++domain_tokens_[static_cast<std::size_t>(domain_number_)];
  return true;
}

Corpus CorpusBuilder::finish() {
  corpus_.sequence_start.push_back(corpus_.tokens());
  corpus_.sha256 = corpus_sha256(corpus_);
  return std::move(corpus_);
}

}  // namespace moescope
