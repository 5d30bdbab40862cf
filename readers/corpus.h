#pragma once
/// Evaluation texts as one stream of tokens, cut into sequences, labelled by domain.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <string>
#include <vector>

namespace moescope {

class Tokenizer;

/// One file given by the user, `[DOMAIN=]FILE`.
struct CorpusSource {
  std::string domain;  // empty: from the record (domain_key, else /domain), else the file's stem
  std::filesystem::path file;
};
/// Splits at the first '=' unless a file of the whole name exists. Throws UsageError for an empty half.
CorpusSource parse_corpus_source(const std::string& argument);

struct CorpusOptions {
  std::string text_key = "/text";  // JSON pointers into each line of a .jsonl
  std::string domain_key = "/meta/pile_set_name";
  std::size_t sequence_length = 2048;  // longer documents are cut into several sequences
  std::size_t max_tokens = std::numeric_limits<std::size_t>::max();  // per domain
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

  std::size_t tokens() const { return token_id.size(); }
  std::size_t sequences() const { return sequence_start.size() - 1; }
};

/// Reads by suffix: .jsonl (a document a line) and .txt (one document), also compressed as .gz or .zst, and
/// .npy (int32, int64, uint16, uint32; one row a document, a one-dimensional array is one row). Empty
/// documents are skipped. `tokenizer` may be null when every source is .npy; ids are checked against
/// `vocabulary_size`. A file is read no further than its domain's limit where every line's domain is known.
/// Throws FormatError (also for a corpus without a token), UsageError, std::system_error.
Corpus read_corpus(const std::vector<CorpusSource>& sources, const CorpusOptions& options,
                   const Tokenizer* tokenizer, std::uint32_t vocabulary_size);

}  // namespace moescope
