#include "readers/corpus.h"

#include <algorithm>
#include <optional>
#include <string_view>

#include "readers/corpus_builder.h"
#include "readers/corpus_record.h"
#include "readers/errors.h"
#include "readers/npy.h"
#include "readers/text_file.h"
#include "readers/tokenizer.h"
#include "readers/utf8.h"

namespace moescope {
namespace {

enum class CorpusFormat : std::uint8_t { json_lines, text, token_ids };

struct CorpusFile {
  CorpusFormat format = CorpusFormat::text;
  std::string stem;  // the name without its suffixes
};

// By the file's suffixes.
CorpusFile classify(const std::filesystem::path& file) {
  std::filesystem::path name = file.filename();
  if (name.extension() == ".npy") return {CorpusFormat::token_ids, name.stem().string()};
  if (name.extension() == ".gz" || name.extension() == ".zst") name = name.stem();
  if (name.extension() == ".jsonl") return {CorpusFormat::json_lines, name.stem().string()};
  if (name.extension() == ".txt") return {CorpusFormat::text, name.stem().string()};
  throw UsageError(file.string() +
                   ": is not a corpus (expected .jsonl, .txt, either with .gz or .zst, or .npy)");
}

/// Reads one source after the other into the builder.
class CorpusReader {
 public:
  CorpusReader(const CorpusOptions& options, const Tokenizer* tokenizer, std::uint32_t vocabulary_size)
      : options_(options),
        tokenizer_(tokenizer),
        vocabulary_size_(vocabulary_size),
        builder_(options.sequence_length, options.max_tokens) {}

  void read(const CorpusSource& source) {
    const CorpusFile file = classify(source.file);
    const std::string domain = source.domain.empty() ? file.stem : source.domain;
    switch (file.format) {
      case CorpusFormat::json_lines:
        read_json_lines(source, file.stem);
        break;
      case CorpusFormat::text:
        read_text(source.file, domain);
        break;
      case CorpusFormat::token_ids:
        read_token_ids(source.file, domain);
        break;
    }
  }

  Corpus finish() { return builder_.finish(); }

 private:
  // Without a domain of its own, a line may belong to any: then the file is read to its end.
  void read_json_lines(const CorpusSource& source, const std::string& stem) {
    TextFile file(source.file);
    std::string line;
    while (!(has_domain(source) && builder_.is_full(source.domain)) && file.read_line(line)) {
      if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
      const std::string place = file.name() + ": line " + std::to_string(file.line_number());
      const std::string* domain_key = has_domain(source) ? nullptr : &options_.domain_key;
      const CorpusRecord record = parse_corpus_record(line, options_.text_key, domain_key, place);
      const std::string domain = has_domain(source) ? source.domain : record.domain.value_or(stem);
      add_text(record.text, domain, place);
    }
  }

  void read_text(const std::filesystem::path& path, const std::string& domain) {
    if (builder_.is_full(domain)) return;
    TextFile file(path);
    const std::string text = file.read_rest();
    const std::size_t invalid = first_invalid_utf8(text);
    if (invalid != text.size()) {
      throw FormatError(file.name(), {}, "is not valid UTF-8 at byte " + std::to_string(invalid));
    }
    add_text(text, domain, file.name());
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

  void add_text(const std::string& text, const std::string& domain, const std::string& place) {
    if (tokenizer_ == nullptr) {
      throw FormatError(place, {}, "is text, which needs a tokenizer",
                        "the checkpoint has no tokenizer.json; give token ids as .npy");
    }
    if (builder_.is_full(domain)) return;
    const TokenizedText tokens = tokenizer_->encode(text);
    builder_.begin_document(domain);
    for (std::size_t i = 0; i < tokens.ids.size(); ++i) {
      require_known(tokens.ids[i], i, place, {}, "the checkpoint's tokenizer.json belongs to another model");
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

  static bool has_domain(const CorpusSource& source) { return !source.domain.empty(); }

  const CorpusOptions& options_;
  const Tokenizer* tokenizer_;
  std::uint32_t vocabulary_size_;
  CorpusBuilder builder_;
};

void require_options(const std::vector<CorpusSource>& sources, const CorpusOptions& options) {
  if (sources.empty()) throw UsageError("no corpus was given");
  if (options.sequence_length == 0) throw UsageError("the sequence length must be at least 1");
  require_json_pointer("text key", options.text_key);
  require_json_pointer("domain key", options.domain_key);
}

}  // namespace

CorpusSource parse_corpus_source(const std::string& argument) {
  const auto equals = argument.find('=');
  std::error_code ignored;
  if (equals == std::string::npos || std::filesystem::exists(argument, ignored)) return {{}, argument};
  if (equals == 0 || equals + 1 == argument.size()) {
    throw UsageError("'" + argument + "' is not a corpus (expected [DOMAIN=]FILE)");
  }
  return {argument.substr(0, equals), argument.substr(equals + 1)};
}

Corpus read_corpus(const std::vector<CorpusSource>& sources, const CorpusOptions& options,
                   const Tokenizer* tokenizer, std::uint32_t vocabulary_size) {
  require_options(sources, options);
  CorpusReader reader(options, tokenizer, vocabulary_size);
  for (const CorpusSource& source : sources) reader.read(source);
  Corpus corpus = reader.finish();
  if (corpus.tokens() == 0) {
    throw FormatError(sources.size() == 1 ? sources[0].file.string() : "corpus", {}, "holds no token");
  }
  return corpus;
}

}  // namespace moescope
