#pragma once
/// Puts documents into a corpus, token by token.

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "readers/corpus/corpus.h"

namespace moescope {

/// Cuts documents into sequences and domains at their limit.
class CorpusBuilder {
 public:
  /// `sequence_length` > 0; `max_tokens` per domain.
  CorpusBuilder(std::size_t sequence_length, std::size_t max_tokens)
      : sequence_length_(sequence_length), max_tokens_(max_tokens) {}

  /// Tokens that a domain still takes.
  std::size_t room(const std::string& domain) const;
  bool is_full(const std::string& domain) const { return room(domain) == 0; }
  /// The tokens that follow belong to a new document. A document without a token leaves no trace.
  void begin_document(const std::string& domain);
  /// False, and nothing is added, when the document's domain is full.
  bool append(std::uint32_t id, std::int64_t text_offset);

  /// Ends the building.
  Corpus finish();

 private:
  void begin_domain();

  std::size_t sequence_length_;
  std::size_t max_tokens_;
  Corpus corpus_;
  std::map<std::string, std::int32_t> domain_index_;
  std::vector<std::size_t> domain_tokens_;  // (D)
  std::string domain_;                      // of the current document
  std::int32_t domain_number_ = -1;         // of the current document; -1 before its first token
  std::int32_t documents_ = 0;              // that have a token
  std::size_t position_ = 0;                // in the current sequence
};

}  // namespace moescope
