#pragma once
/// Evaluation texts as one stream of tokens, cut into sequences, labelled by domain.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "readers/corpus_source.h"
#include "readers/decompression.h"
#include "readers/tokenizer.h"

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

/// The token ids of one text, of which no more than `most` will be used. `place` names file and line in
/// messages.
using TextEncoder =
    std::function<TokenizedText(const std::string& text, const std::string& place, std::size_t most)>;

/// Reads each source as settle_corpus_files() tells: .jsonl (a document a line), .txt (one document), also
/// compressed, .npy (int32, int64, uint16, uint32; one row a document, a one-dimensional array is one row),
/// and pipes. Empty documents are skipped. Ids are checked against `vocabulary_size`. A file is read no
/// further than its domain's limit where every line's domain is known. Throws FormatError (also for a corpus
/// without a token), UsageError, std::system_error, and what `encode` throws.
Corpus read_corpus(const std::vector<CorpusSource>& sources, const CorpusOptions& options,
                   const TextEncoder& encode, std::uint32_t vocabulary_size);
/// With the ids of `tokenizer`, which may be null when every source is .npy.
Corpus read_corpus(const std::vector<CorpusSource>& sources, const CorpusOptions& options,
                   const Tokenizer* tokenizer, std::uint32_t vocabulary_size);

/// Throws FormatError: a text cannot be read without a tokenizer.
[[noreturn]] void refuse_text_without_tokenizer(const std::string& place);

}  // namespace moescope
