#pragma once
/// The files of a corpus: how each is read, and to which domain its texts belong.

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace moescope {

/// One file given by the user, `[DOMAIN=]FILE`.
struct CorpusSource {
  std::string domain;          // empty: from the record (domain_key, else /domain), else from the file's name
  std::filesystem::path file;  // "-" is standard input
};
/// Splits at the first '=' unless a file of the whole name exists. Throws UsageError for an empty half.
CorpusSource parse_corpus_source(const std::string& argument);

/// by_content: of a pipe without a suffix. One that begins as a JSON object does holds records, any other is
/// a text.
enum class CorpusFormat : std::uint8_t { by_content, json_lines, text, token_ids };

/// A source of which everything is known that its name tells.
struct CorpusFile {
  std::filesystem::path path;
  CorpusFormat format = CorpusFormat::by_content;
  std::string domain;       // UTF-8, never empty
  bool one_domain = false;  // the records' own domains do not count
};

/// By suffix: .jsonl and .txt, also with .gz or .zst, and .npy. A domain that is not given is the file's name
/// without suffixes; where files of one name would share it, with as many of their directories as it takes
/// (or with the suffixes). Pipes without a name of their own are called "pipe". Throws UsageError for another
/// suffix (unless `any_suffix`: then it is by content), a directory, and a file that is given twice.
std::vector<CorpusFile> settle_corpus_files(const std::vector<CorpusSource>& sources,
                                            bool any_suffix = false);

}  // namespace moescope
