#include "readers/corpus/corpus_record.h"

#include <algorithm>
#include <vector>

#include "readers/errors.h"
#include "readers/text/quoted_text.h"
#include "readers/text/strict_json.h"

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

void collect_keys(const json& record, const json::json_pointer& parent, std::vector<std::string>& keys) {
  for (const auto& [key, value] : record.items()) {
    const json::json_pointer pointer = parent / key;
    if (value.is_object() && !value.empty() && parent.empty()) {
      collect_keys(value, pointer, keys);
    } else {
      keys.push_back(single_quoted(pointer.to_string()));
    }
  }
}

// With those of objects in it, as --text-key takes them.
std::string keys_of(const json& record) {
  constexpr std::size_t most = 12;
  std::vector<std::string> keys;
  collect_keys(record, json::json_pointer(), keys);
  std::string text;
  for (std::size_t i = 0; i < std::min(keys.size(), most); ++i) text += (i > 0 ? ", " : "") + keys[i];
  return keys.empty() ? "none" : text + (keys.size() > most ? " and others" : "");
}

// Domains become labels in run files and figures.
bool is_label(const std::string& name) {
  return !name.empty() &&
         std::none_of(name.begin(), name.end(), [](unsigned char c) { return c < ' ' || c == 0x7F; });
}

std::optional<std::string> find_domain(const json& record, const std::string& domain_key,
                                       const std::string& place) {
  for (const std::string& key : {domain_key, std::string("/domain")}) {
    const json* domain = find(record, key);
    if (domain == nullptr || domain->is_null()) continue;
    if (domain->is_string() && is_label(domain->get_ref<const std::string&>()))
      return domain->get<std::string>();
    throw FormatError(place, key, "expected a domain's name, found " + excerpt(*domain),
                      "write DOMAIN=FILE to name the domain yourself");
  }
  return std::nullopt;
}

}  // namespace

void require_json_pointer(const std::string& option, const std::string& pointer) {
  try {
    json::json_pointer unused(pointer);
  } catch (const json::exception&) {
    throw UsageError(
        option + ": '" + pointer + "' is not a JSON pointer",
        "write for example /" + (pointer.empty() || pointer[0] == '/' ? "meta/pile_set_name" : pointer));
  }
}

CorpusRecord parse_corpus_record(std::string_view line, const std::string& text_key,
                                 const std::string* domain_key, const std::string& place) {
  const json record = parse_strict_json(line, place);
  if (!record.is_object()) throw FormatError(place, {}, "expected a JSON object, found " + excerpt(record));
  const json* text = find(record, text_key);
  if (text == nullptr) {
    throw FormatError(place, {}, "has no " + text_key,
                      "the line's keys are " + keys_of(record) + "; --text-key names that of the text");
  }
  if (!text->is_string()) throw FormatError(place, text_key, "expected a string, found " + excerpt(*text));
  return {text->get<std::string>(), domain_key ? find_domain(record, *domain_key, place) : std::nullopt};
}

}  // namespace moescope
