#pragma once
/// The documents of one corpus file, one after the other: what `analyze` and `tokenize` read alike.

#include <string>
#include <vector>

#include "readers/corpus/corpus.h"
#include "readers/corpus/corpus_source.h"
#include "readers/files/text_file.h"

namespace moescope {

struct CorpusText {
  std::string text;    // may be empty
  std::string domain;  // of the record, else of the file
  std::string place;   // file and line, for messages
};

/// Not thread-safe.
class CorpusTexts {
 public:
  /// Of any format but token_ids; `options` must outlive it. Throws as TextFile does, and FormatError for
  /// what holds no texts: token ids, a page of HTML in place of records.
  CorpusTexts(CorpusFile file, const CorpusOptions& options);

  /// False at the end. White lines between records are none of them. Throws FormatError, std::system_error.
  bool next(CorpusText& text);

  const std::vector<std::string>& notes() const { return notes_; }

 private:
  bool next_record(CorpusText& text);
  bool next_text(CorpusText& text);

  CorpusFile file_;
  const CorpusOptions& options_;
  TextFile stream_;
  bool records_ = false;
  bool ended_ = false;
  std::string line_;
  std::vector<std::string> notes_;
};

}  // namespace moescope
