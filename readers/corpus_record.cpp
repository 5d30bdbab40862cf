#include "readers/corpus_record.h"

#include "readers/errors.h"
#include "readers/strict_json.h"

namespace moescope {
namespace {

using nlohmann::json;

// Null when the record has no such value.
const json* find(const json& record, const std::string& pointer) {
  try {
    const json::json_pointer path(pointer);
    return record.contains(path) ? &record.at(path) : nullptr;
  } catch (const json::exception&) {  // e.g. an index that is no number
    return nullptr;
  }
}

std::string keys_of(const json& record) {
  std::string keys;
  for (const auto& [key, value] : record.items()) keys += (keys.empty() ? "'/" : ", '/") + key + "'";
  return keys.empty() ? "none" : keys;
}

}  // namespace

void require_json_pointer(const std::string& option, const std::string& pointer) {
  try {
    json::json_pointer unused(pointer);
  } catch (const json::exception&) {
    throw UsageError(option + ": '" + pointer + "' is not a JSON pointer",
                     "write for example /meta/pile_set_name");
  }
}

CorpusRecord parse_corpus_record(std::string_view line, const std::string& text_key,
                                 const std::string& domain_key, const std::string& place) {
  json record = parse_strict_json(line, place);
  if (!record.is_object()) throw FormatError(place, {}, "expected a JSON object, found " + excerpt(record));
  const json* text = find(record, text_key);
  if (text == nullptr) {
    throw FormatError(place, {}, "has no " + text_key, "the line's keys are " + keys_of(record));
  }
  if (!text->is_string()) throw FormatError(place, text_key, "expected a string, found " + excerpt(*text));

  const json* domain = find(record, domain_key);
  const bool has_own_key = domain != nullptr;
  if (!has_own_key) domain = find(record, "/domain");
  CorpusRecord result{text->get<std::string>(), std::nullopt};
  if (domain == nullptr) return result;
  if (!domain->is_string()) {
    throw FormatError(place, has_own_key ? domain_key : "/domain",
                      "expected a string, found " + excerpt(*domain),
                      "write DOMAIN=FILE to name the domain yourself");
  }
  result.domain = domain->get<std::string>();
  return result;
}

}  // namespace moescope
