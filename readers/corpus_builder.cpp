#include "readers/corpus_builder.h"

#include <array>
#include <utility>

#include "readers/sha256.h"

namespace moescope {
namespace {

// Numbers are little-endian, so that the digest is the same on every machine.
template <typename T>
void update_with_number(Sha256& sha256, T number) {
  std::array<std::byte, sizeof(T)> bytes;
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(number >> (8 * i));
  sha256.update(bytes);
}

}  // namespace

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

std::string corpus_sha256(const Corpus& corpus) {
  Sha256 sha256;
  update_with_number<std::uint64_t>(sha256, corpus.domains.size());
  for (const std::string& domain : corpus.domains) {
    update_with_number<std::uint64_t>(sha256, domain.size());
    sha256.update(domain);
  }
  update_with_number<std::uint64_t>(sha256, corpus.sequences());
  for (std::size_t i = 0; i < corpus.sequences(); ++i) {
    const std::size_t start = corpus.sequence_start[i];
    update_with_number<std::uint64_t>(sha256, corpus.sequence_start[i + 1] - start);
    update_with_number<std::uint32_t>(sha256, static_cast<std::uint32_t>(corpus.domain[start]));
  }
  for (const std::uint32_t id : corpus.token_id) update_with_number<std::uint32_t>(sha256, id);
  return sha256.hex();
}

}  // namespace moescope
