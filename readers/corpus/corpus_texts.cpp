#include "readers/corpus/corpus_texts.h"

#include <algorithm>
#include <utility>

#include "readers/corpus/corpus_record.h"
#include "readers/errors.h"
#include "readers/text/foreign_content.h"
#include "readers/text/utf8.h"

namespace moescope {
namespace {

std::string_view without_leading_space(std::string_view text) {
  const std::size_t begin = std::min(text.find_first_not_of(" \t\r\n"), text.size());
  return text.substr(begin);
}

// {} or {"…
bool begins_as_record(std::string_view start) {
  start = without_leading_space(start);
  if (!start.starts_with('{')) return false;
  start = without_leading_space(start.substr(1));
  return start.starts_with('"') || start.starts_with('}');
}

bool is_html(std::string_view start) {
  start = without_leading_space(start);
  return begins_with_tag(start, "<!doctype html") || begins_with_tag(start, "<html");
}

}  // namespace

CorpusTexts::CorpusTexts(CorpusFile file, const CorpusOptions& options)
    : file_(std::move(file)), options_(options), stream_(file_.path, options.memory) {
  const std::string_view start = stream_.start();
  if (start.starts_with("\x93NUMPY")) {
    throw FormatError(stream_.name(), {}, "is a .npy array of token ids, not a text",
                      "as a file whose name ends in .npy it can be a corpus");
  }
  records_ = file_.format == CorpusFormat::json_lines ||
             (file_.format == CorpusFormat::by_content && begins_as_record(start));
  if (!is_html(start)) return;
  if (records_)
    throw FormatError(stream_.name(), {}, "is a page of HTML (expected a JSON record a line)",
                      "a download that needs a login, or another address, ends so");
  notes_.push_back(stream_.name() + ": is a page of HTML, whose tags count as text");
}

bool CorpusTexts::next(CorpusText& text) {
  return records_ ? next_record(text) : next_text(text);
}

bool CorpusTexts::next_record(CorpusText& text) {
  std::string_view line;
  do {
    if (!stream_.read_line(line_)) return false;
    line = line_;
    if (line.starts_with(utf8_byte_order_mark))
      line.remove_prefix(utf8_byte_order_mark.size());  // files joined
  } while (line.find_first_not_of(" \t\r") == std::string_view::npos);
  text.place = stream_.name() + ": line " + std::to_string(stream_.line_number());
  const std::string* domain_key = file_.one_domain ? nullptr : &options_.domain_key;
  CorpusRecord record = parse_corpus_record(line, options_.text_key, domain_key, text.place);
  text.text = std::move(record.text);
  text.domain = record.domain.value_or(file_.domain);
  return true;
}

bool CorpusTexts::next_text(CorpusText& text) {
  if (std::exchange(ended_, true)) return false;
  text.text = stream_.read_rest();
  const std::size_t invalid = first_invalid_utf8(text.text);
  if (invalid != text.text.size()) {
    throw FormatError(stream_.name(), {}, "is not valid UTF-8 at byte " + std::to_string(invalid));
  }
  text.domain = file_.domain;
  text.place = stream_.name();
  return true;
}

}  // namespace moescope
