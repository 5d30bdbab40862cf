#pragma once
/// Texts and token ids from files become a corpus.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "readers/corpus/corpus.h"
#include "readers/corpus/corpus_source.h"
#include "readers/tokenizer/tokenizer.h"

namespace moescope {

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
