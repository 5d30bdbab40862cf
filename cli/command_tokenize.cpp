#include <cstdint>
#include <filesystem>
#include <iostream>
#include <iterator>
#include <limits>
#include <nlohmann/json.hpp>

#include "cli/command_functions.h"
#include "cli/json_text.h"
#include "cli/options.h"
#include "cli/terminal.h"
#include "readers/corpus.h"
#include "readers/errors.h"
#include "readers/source_file.h"
#include "readers/tokenizer.h"
#include "readers/utf8.h"

namespace moescope {
namespace {

namespace fs = std::filesystem;
using Align = Table::Align;

struct Options {
  std::vector<std::string> positional;  // CKPT, FILE
  std::string text_key = CorpusOptions().text_key;
  bool json = false, pieces = false;
  CommonOptions common;
};

bool parse(const Arguments& arguments, Options& options) {
  CommandLine line(
      {"tokenize", "CKPT FILE [options]",
       "Prints the token ids of a text, one document per line: what `analyze` would feed to the model. CKPT "
       "is a "
       "checkpoint or its tokenizer.json. FILE is a text (one document), a .jsonl, .jsonl.zst or .jsonl.gz "
       "(one document a record), or - for a text on standard input.",
       "moescope tokenize data/tiny-dots1/tiny-dots1-05T data/eval_text/c.jsonl\n"
       "echo 'int main(void)' | moescope tokenize data/tiny-dots1/tiny-dots1-05T - --pieces"});
  line.positional("CKPT FILE", &options.positional, 2, 2);
  line.text("text-key", "POINTER", &options.text_key, "JSON pointer to the text of a record (default /text)");
  line.flag("pieces", &options.pieces, "one token a line: its id, its byte offset in the text, its bytes");
  line.flag("json", &options.json, "print ids and byte offsets as JSON");
  line.common(&options.common);
  return line.parse(arguments);
}

fs::path tokenizer_file(const fs::path& checkpoint) {
  if (!fs::is_directory(checkpoint)) return checkpoint;
  const fs::path file = checkpoint / "tokenizer.json";
  if (!fs::exists(file)) throw FormatError(checkpoint.string(), "tokenizer.json", "is missing");
  return file;
}

bool holds_records(const std::string& file) {
  for (const char* extension : {".jsonl", ".jsonl.zst", ".jsonl.gz"}) {
    if (file.ends_with(extension)) return true;
  }
  return false;
}

// Documents of a corpus, none of them cut.
std::vector<TokenizedText> tokenize_records(const Tokenizer& tokenizer, const std::string& file,
                                            const Options& options) {
  CorpusOptions corpus_options;
  corpus_options.text_key = options.text_key;
  corpus_options.sequence_length = std::numeric_limits<std::int32_t>::max();
  const Corpus corpus = read_corpus({{"", file}}, corpus_options, &tokenizer, tokenizer.vocabulary_size());
  std::vector<TokenizedText> documents(corpus.sequences());
  for (std::size_t s = 0; s < corpus.sequences(); ++s) {
    for (std::size_t t = corpus.sequence_start[s]; t < corpus.sequence_start[s + 1]; ++t) {
      documents[s].ids.push_back(corpus.token_id[t]);
      documents[s].offsets.push_back(static_cast<std::uint32_t>(corpus.text_offset[t]));
    }
  }
  return documents;
}

TokenizedText tokenize_text(const Tokenizer& tokenizer, const std::string& text, const std::string& name) {
  const std::size_t invalid = first_invalid_utf8(text);
  if (invalid == text.size()) return tokenizer.encode(text);
  throw FormatError(name, {}, "is not valid UTF-8 at byte " + std::to_string(invalid));
}

std::vector<TokenizedText> tokenize_file(const Tokenizer& tokenizer, const std::string& file,
                                         const Options& options) {
  if (file == "-") {
    const std::string text{std::istreambuf_iterator<char>(std::cin), std::istreambuf_iterator<char>()};
    return {tokenize_text(tokenizer, text, "standard input")};
  }
  if (file.ends_with(".npy")) throw UsageError(file + ": holds token ids already, expected a text");
  if (holds_records(file)) return tokenize_records(tokenizer, file, options);
  return {tokenize_text(tokenizer, read_whole_file(file), file)};
}

void print_json(const Tokenizer& tokenizer, const std::vector<TokenizedText>& documents) {
  nlohmann::ordered_json json = {{"tokenizer_sha256", tokenizer.sha256()},
                                 {"vocabulary_size", tokenizer.vocabulary_size()},
                                 {"documents", nlohmann::ordered_json::array()}};
  for (const TokenizedText& document : documents) {
    json["documents"].push_back({{"ids", document.ids}, {"offsets", document.offsets}});
  }
  std::cout << json_text(json);
}

void print_pieces(const Tokenizer& tokenizer, const std::vector<TokenizedText>& documents) {
  Table table({{"document", Align::right}, {"offset", Align::right}, {"id", Align::right}, {"bytes"}});
  for (std::size_t d = 0; d < documents.size(); ++d) {
    for (std::size_t t = 0; t < documents[d].ids.size(); ++t) {
      const nlohmann::json bytes = tokenizer.decode({documents[d].ids[t]});
      const auto quoted = bytes.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
      table.add({std::to_string(d), std::to_string(documents[d].offsets[t]),
                 std::to_string(documents[d].ids[t]), quoted});
    }
  }
  std::cout << table.text();
}

void print_ids(const std::vector<TokenizedText>& documents) {
  for (const TokenizedText& document : documents) {
    const char* separator = "";
    for (std::uint32_t id : document.ids) {
      std::cout << separator << id;
      separator = " ";
    }
    std::cout << '\n';
  }
}

}  // namespace

ExitCode run_tokenize(const Arguments& arguments) {
  Options options;
  if (!parse(arguments, options)) return exit_done;
  const Tokenizer tokenizer = Tokenizer::load(tokenizer_file(options.positional[0]));
  const auto documents = tokenize_file(tokenizer, options.positional[1], options);
  if (options.json) {
    print_json(tokenizer, documents);
  } else if (options.pieces) {
    print_pieces(tokenizer, documents);
  } else {
    print_ids(documents);
  }
  return exit_done;
}

}  // namespace moescope
