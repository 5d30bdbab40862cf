#pragma once
/// Evaluation texts as one stream of tokens, cut into sequences, labelled by domain.

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "readers/files/decompression.h"

namespace moescope {

struct CorpusOptions {
  std::string text_key = "/text";  // JSON pointers into each line of a .jsonl
  std::string domain_key = "/meta/pile_set_name";
  std::size_t sequence_length = 2048;  // longer documents are cut into several sequences
  std::size_t max_tokens = std::numeric_limits<std::size_t>::max();  // per domain
  std::uint64_t memory = least_zstd_window;  // bytes that decompression may take; changes no number
};

/// T tokens in S sequences of D domains. A sequence never crosses a document; tokens of a sequence are
/// contiguous.
struct Corpus {
  std::vector<std::string> domains;         // (D) in order of first appearance
  std::vector<std::uint32_t> token_id;      // (T)
  std::vector<std::int32_t> document;       // (T) running number over the whole corpus
  std::vector<std::int32_t> position;       // (T) within its sequence, from 0
  std::vector<std::int32_t> domain;         // (T) index into domains
  std::vector<std::int64_t> text_offset;    // (T) byte in its document's text, -1 without text
  std::vector<std::size_t> sequence_start;  // (S + 1) first token of each sequence; last is T
  std::string sha256;                       // over domains, sequences and token ids, hexadecimal
  std::vector<std::string> notes;           // what the user should know of the files

  std::size_t tokens() const { return token_id.size(); }
  std::size_t sequences() const { return sequence_start.size() - 1; }
};

/// SHA-256 over domains, sequences and token ids: the identity of what a model is shown.
std::string corpus_sha256(const Corpus& corpus);

}  // namespace moescope
