#include <cstdint>
#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>

#include "analysis/machine/memory.h"
#include "cli/command_functions.h"
#include "cli/options.h"
#include "cli/terminal.h"
#include "readers/corpus/corpus_record.h"
#include "readers/corpus/corpus_texts.h"
#include "readers/errors.h"
#include "readers/text/json_text.h"
#include "readers/tokenizer/tokenizer.h"

namespace moescope {
namespace {

namespace fs = std::filesystem;
using Align = Table::Align;

struct Options {
  std::vector<std::string> positional;  // CKPT, FILE
  std::string text_key = CorpusOptions().text_key;
  bool json = false, pieces = false;
  std::uint64_t memory = 0;  // 0: the default budget
  CommonOptions common;
};

bool parse(const Arguments& arguments, Options& options) {
  CommandLine line(
      {"tokenize", "CKPT FILE [options]",
       "Prints the token ids of a text, one document per line: what `analyze` would feed to the model. CKPT "
       "is a checkpoint or its tokenizer.json. FILE is read as `analyze` reads it: a .jsonl (one document a "
       "record), a .txt (one document), either with .gz or .zst, or - for standard input. That, a pipe, or a "
       "file of another name holds records if it begins as a JSON object does, else it is one text.",
       "moescope tokenize data/tiny-dots1/tiny-dots1-05T data/eval_text/c.jsonl\n"
       "echo 'int main(void)' | moescope tokenize data/tiny-dots1/tiny-dots1-05T - --pieces"});
  line.positional("CKPT FILE", &options.positional, 2, 2);
  line.text("text-key", "POINTER", &options.text_key, "JSON pointer to the text of a record (default /text)");
  line.flag("pieces", &options.pieces, "one token a line: its id, its byte offset in the text, its bytes");
  line.flag("json", &options.json, "print ids and byte offsets as JSON");
  line.size("memory", &options.memory,
            "memory budget, which limits the window of a .zst (default as of analyze)");
  line.common(&options.common);
  return line.parse(arguments);
}

// Of a GGUF file, the one that lies beside it.
fs::path tokenizer_file(const fs::path& checkpoint) {
  const bool is_directory = fs::is_directory(checkpoint);
  if (!is_directory && checkpoint.extension() != ".gguf") return checkpoint;
  const fs::path file = (is_directory ? checkpoint : checkpoint.parent_path()) / "tokenizer.json";
  if (!fs::exists(file)) throw FormatError(checkpoint.string(), "tokenizer.json", "is missing");
  return file;
}

// "tokenize FILE CKPT" is as easily typed.
void require_order(const std::string& checkpoint, const std::string& file) {
  std::error_code ignored;
  const auto is_one = [&](const fs::path& path) {
    return fs::is_directory(path, ignored) || path.filename() == "tokenizer.json" ||
           path.extension() == ".gguf";
  };
  if (is_one(checkpoint) || !is_one(file) || fs::path(checkpoint).extension() == ".json") return;
  throw UsageError(
      "'" + file + "' is a checkpoint, and '" + checkpoint + "' is none: CKPT stands before FILE",
      "moescope tokenize " + shell_quoted(file) + " " + shell_quoted(checkpoint));
}

void require_text(const CorpusFile& source, const std::string& file) {
  if (source.format == CorpusFormat::token_ids)
    throw UsageError(file + ": holds token ids already, expected a text");
}

/// Its documents as `analyze` reads them, none of them cut.
std::vector<TokenizedText> tokenize_file(const Tokenizer& tokenizer, const Options& options) {
  const std::string& file = options.positional[1];
  CorpusOptions corpus_options;
  corpus_options.text_key = options.text_key;
  corpus_options.memory = memory_budget(options.memory);
  require_json_pointer("text key", options.text_key);
  const CorpusFile source = settle_corpus_files({{"", file}}, true).front();
  require_text(source, file);
  CorpusTexts texts(source, corpus_options);
  std::vector<TokenizedText> documents;
  for (CorpusText text; texts.next(text);) documents.push_back(tokenizer.encode(text.text));
  for (const std::string& note : texts.notes()) {
    if (!options.common.quiet) std::cerr << "note: " << note << '\n';
  }
  return documents;
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
  require_order(options.positional[0], options.positional[1]);
  const Tokenizer tokenizer = Tokenizer::load(tokenizer_file(options.positional[0]));
  const auto documents = tokenize_file(tokenizer, options);
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
