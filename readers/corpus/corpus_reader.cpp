#include "readers/corpus/corpus_reader.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "readers/corpus/corpus_builder.h"
#include "readers/corpus/corpus_record.h"
#include "readers/corpus/corpus_texts.h"
#include "readers/errors.h"
#include "readers/files/npy.h"

namespace moescope {
namespace {

/// Reads one file after the other into the builder.
class CorpusReader {
 public:
  CorpusReader(const CorpusOptions& options, const TextEncoder& encode, std::uint32_t vocabulary_size)
      : options_(options),
        encode_(encode),
        vocabulary_size_(vocabulary_size),
        builder_(options.sequence_length, options.max_tokens) {}

  void read(const CorpusFile& file) {
    if (file.format == CorpusFormat::token_ids) {
      read_token_ids(file.path, file.domain);
    } else {
      read_texts(file);
    }
  }

  Corpus finish() {
    Corpus corpus = builder_.finish();
    corpus.notes = std::move(notes_);
    return corpus;
  }

 private:
  // Without a domain of its own, a record may belong to any: then the file is read to its end.
  void read_texts(const CorpusFile& file) {
    const bool one_domain = file.one_domain || file.format == CorpusFormat::text;
    if (one_domain && builder_.is_full(file.domain)) return;
    CorpusTexts texts(file, options_);
    CorpusText text;
    while (!(one_domain && builder_.is_full(file.domain)) && texts.next(text)) add_text(text);
    notes_.insert(notes_.end(), texts.notes().begin(), texts.notes().end());
  }

  void read_token_ids(const std::filesystem::path& path, const std::string& domain) {
    constexpr std::uint64_t block = 1u << 20;  // tokens read at once; rows may be long
    const NpyFile file(path);
    const NpyHeader& header = file.header();
    for (std::uint64_t row = 0; row < header.rows && !builder_.is_full(domain); ++row) {
      builder_.begin_document(domain);
      for (std::uint64_t begin = 0; begin < header.columns && !builder_.is_full(domain); begin += block) {
        const std::vector<std::int64_t> ids = file.read(row, begin, std::min(begin + block, header.columns));
        for (std::size_t i = 0; i < ids.size(); ++i) {
          require_known(ids[i], begin + i, path.string(), "row " + std::to_string(row), {});
          if (!builder_.append(static_cast<std::uint32_t>(ids[i]), -1)) break;
        }
      }
    }
  }

  void add_text(const CorpusText& text) {
    const std::size_t most = builder_.room(text.domain);
    if (most == 0) return;
    const TokenizedText tokens = encode_(text.text, text.place, most);
    builder_.begin_document(text.domain);
    for (std::size_t i = 0; i < tokens.ids.size(); ++i) {
      require_known(tokens.ids[i], i, text.place, {},
                    "the checkpoint's tokenizer.json belongs to another model");
      if (!builder_.append(tokens.ids[i], tokens.offsets[i])) break;
    }
  }

  void require_known(std::int64_t id, std::uint64_t position, std::string_view file, std::string_view thing,
                     std::string_view hint) const {
    if (id >= 0 && id < static_cast<std::int64_t>(vocabulary_size_)) return;
    throw FormatError(file, thing,
                      "token id " + std::to_string(id) + " at position " + std::to_string(position) +
                          " is outside the vocabulary (expected 0 to " +
                          std::to_string(vocabulary_size_ - 1) + ")",
                      hint);
  }

  const CorpusOptions& options_;
  const TextEncoder& encode_;
  std::uint32_t vocabulary_size_;
  CorpusBuilder builder_;
  std::vector<std::string> notes_;
};

void require_options(const std::vector<CorpusSource>& sources, const CorpusOptions& options) {
  if (sources.empty()) throw UsageError("no corpus was given");
  if (options.sequence_length == 0) throw UsageError("the sequence length must be at least 1");
  require_json_pointer("text key", options.text_key);
  require_json_pointer("domain key", options.domain_key);
}

}  // namespace

Corpus read_corpus(const std::vector<CorpusSource>& sources, const CorpusOptions& options,
                   const TextEncoder& encode, std::uint32_t vocabulary_size) {
  require_options(sources, options);
  CorpusReader reader(options, encode, vocabulary_size);
  for (const CorpusFile& file : settle_corpus_files(sources)) reader.read(file);
  Corpus corpus = reader.finish();
  if (corpus.tokens() == 0) {
    throw FormatError(sources.size() == 1 ? sources[0].file.string() : "corpus", {}, "holds no token");
  }
  return corpus;
}

Corpus read_corpus(const std::vector<CorpusSource>& sources, const CorpusOptions& options,
                   const Tokenizer* tokenizer, std::uint32_t vocabulary_size) {
  const auto encode = [tokenizer](const std::string& text, const std::string& place, std::size_t) {
    if (tokenizer == nullptr) refuse_text_without_tokenizer(place);
    return tokenizer->encode(text);
  };
  return read_corpus(sources, options, TextEncoder(encode), vocabulary_size);
}

void refuse_text_without_tokenizer(const std::string& place) {
  throw FormatError(
      place, {}, "is text, which needs a tokenizer",
      "the checkpoint has no tokenizer.json, and that inside a GGUF file is not read; give token ids as .npy");
}

}  // namespace moescope
