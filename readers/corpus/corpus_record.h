#pragma once
/// One line of a .jsonl corpus.

#include <optional>
#include <string>
#include <string_view>

namespace moescope {

struct CorpusRecord {
  std::string text;
  std::optional<std::string> domain;
};

/// Throws UsageError, with the name of the option, unless `pointer` is a JSON pointer (RFC 6901).
void require_json_pointer(const std::string& option, const std::string& pointer);

/// The text under `text_key`, and the domain under `*domain_key` or else "/domain"; the keys are JSON
/// pointers. With a null `domain_key` no domain is looked for. `place` names file and line in messages.
/// Throws FormatError unless the line is a JSON object with such a text and, if any, a domain without control
/// characters.
CorpusRecord parse_corpus_record(std::string_view line, const std::string& text_key,
                                 const std::string* domain_key, const std::string& place);

}  // namespace moescope
