#include "readers/tokenizer/tokenizer_json.h"

#include <optional>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "readers/errors.h"
#include "readers/text/quoted_text.h"
#include "readers/text/strict_json.h"
#include "readers/tokenizer/byte_alphabet.h"
#include "readers/tokenizer/tokenizer_steps.h"

namespace moescope {
namespace {

using nlohmann::json;

/// Token as the file spells it -> id.
using IdByToken = std::unordered_map<std::string, std::uint32_t>;

IdByToken parse_vocabulary(const JsonObject& model) {
  const json& vocabulary = model.at("vocab");
  const JsonObject ids(vocabulary, model.file(), "model.vocab");
  IdByToken by_token;
  std::unordered_set<std::uint32_t> seen;
  for (const auto& [token, unused] : vocabulary.items()) {
    const auto id = static_cast<std::uint32_t>(ids.integer(token, 0, greatest_token_id));
    if (!seen.insert(id).second) ids.fail(token, "has id " + std::to_string(id) + ", as another token has");
    by_token.emplace(token, id);
  }
  return by_token;
}

std::array<std::uint32_t, 256> find_byte_ids(const IdByToken& by_token, const std::string& file) {
  std::array<std::uint32_t, 256> ids{};
  for (unsigned byte = 0; byte < 256; ++byte) {
    const std::string token = printable_byte(static_cast<unsigned char>(byte));
    const auto found = by_token.find(token);
    if (found == by_token.end()) {
      throw FormatError(file, "'model.vocab'",
                        "has no token " + single_quoted(token) + " for byte " + std::to_string(byte));
    }
    ids[byte] = found->second;
  }
  return ids;
}

// The two tokens of a merge, written as "a b" or ["a", "b"].
std::optional<std::pair<std::string, std::string>> parse_pair(const json& merge) {
  if (merge.is_array()) {
    if (merge.size() != 2 || !merge[0].is_string() || !merge[1].is_string()) return std::nullopt;
    return std::pair(merge[0].get<std::string>(), merge[1].get<std::string>());
  }
  if (!merge.is_string()) return std::nullopt;
  const auto& text = merge.get_ref<const std::string&>();
  const auto space = text.find(' ');
  if (space == std::string::npos || text.find(' ', space + 1) != std::string::npos) return std::nullopt;
  return std::pair(text.substr(0, space), text.substr(space + 1));
}

BpeMerge parse_merge(const json& merge, const IdByToken& by_token, const std::string& file,
                     const std::string& thing) {
  const auto pair = parse_pair(merge);
  if (!pair) throw FormatError(file, thing, "expected two tokens, found " + excerpt(merge));
  const auto id = [&](const std::string& token) {
    const auto found = by_token.find(token);
    if (found == by_token.end())
      throw FormatError(file, thing, single_quoted(token) + " is not in the vocabulary");
    return found->second;
  };
  return {id(pair->first), id(pair->second), id(pair->first + pair->second)};
}

std::vector<BpeMerge> parse_merges(const JsonObject& model, const IdByToken& by_token) {
  const json& list = model.at("merges");
  if (!list.is_array()) model.fail("merges", "expected a list, found " + excerpt(list));
  std::vector<BpeMerge> merges;
  merges.reserve(list.size());
  for (std::size_t i = 0; i < list.size(); ++i) {
    merges.push_back(
        parse_merge(list[i], by_token, model.file(), "'model.merges[" + std::to_string(i) + "]'"));
  }
  return merges;
}

AddedToken parse_added_token(const json& entry, const std::string& file, const std::string& thing) {
  const JsonObject object(entry, file, thing);
  AddedToken token;
  token.content = object.string("content");
  if (token.content.empty()) object.fail("content", "is empty");
  token.id = static_cast<std::uint32_t>(object.integer("id", 0, greatest_token_id));
  token.normalized = object.find("normalized") != nullptr && object.boolean("normalized");
  for (const char* key : {"single_word", "lstrip", "rstrip"}) {
    const json& value = value_or_null(entry, key);
    if (!value.is_null() && value != false) refuse_tokenizer(file, thing + "." + key, "false", value);
  }
  return token;
}

std::vector<AddedToken> parse_added_tokens(const json& list, const std::string& file) {
  std::vector<AddedToken> tokens;
  if (list.is_null()) return tokens;
  if (!list.is_array()) throw FormatError(file, "'added_tokens'", "expected a list, found " + excerpt(list));
  std::unordered_set<std::string> seen;
  for (std::size_t i = 0; i < list.size(); ++i) {
    const std::string thing = "added_tokens[" + std::to_string(i) + "]";
    tokens.push_back(parse_added_token(list[i], file, thing));
    if (seen.insert(tokens.back().content).second) continue;
    throw FormatError(file, "'" + thing + "'",
                      single_quoted(tokens.back().content) + " is an added token already");
  }
  return tokens;
}

// Throws unless ids are unique over the vocabulary and the added tokens. A token may stand in both, with one
// id.
void require_unique_ids(const IdByToken& by_token, const std::vector<AddedToken>& added_tokens,
                        const std::string& file) {
  std::unordered_set<std::uint32_t> ids;
  for (const auto& [token, id] : by_token) ids.insert(id);
  for (const AddedToken& token : added_tokens) {
    const auto found = by_token.find(token.content);
    const bool is_consistent =
        found != by_token.end() ? found->second == token.id : ids.insert(token.id).second;
    if (is_consistent) continue;
    throw FormatError(file, "added token " + single_quoted(token.content),
                      "has id " + std::to_string(token.id) + ", which the vocabulary contradicts");
  }
}

// The bytes of every token. An added token is spelled as it is, also where the vocabulary has it too.
std::vector<VocabularyEntry> join(const IdByToken& by_token, const std::vector<AddedToken>& added_tokens) {
  std::vector<VocabularyEntry> entries;
  entries.reserve(by_token.size() + added_tokens.size());
  std::unordered_set<std::uint32_t> added_ids;
  for (const AddedToken& token : added_tokens) {
    added_ids.insert(token.id);
    entries.push_back({token.content, token.id});
  }
  for (const auto& [token, id] : by_token) {
    if (!added_ids.contains(id)) entries.push_back({spelled_bytes(token).value_or(token), id});
  }
  return entries;
}

}  // namespace

TokenizerDefinition parse_tokenizer_json(std::string_view text, const std::string& file) {
  const json document = parse_strict_json(text, file);
  const JsonObject tokenizer(document, file, {});
  TokenizerDefinition definition;
  definition.split_regex = require_known_steps(document, file);

  const JsonObject model(tokenizer.at("model"), file, "model");
  const IdByToken by_token = parse_vocabulary(model);
  definition.byte_ids = find_byte_ids(by_token, file);
  definition.merges = parse_merges(model, by_token);
  definition.added_tokens = parse_added_tokens(value_or_null(document, "added_tokens"), file);
  require_unique_ids(by_token, definition.added_tokens, file);
  definition.vocabulary = join(by_token, definition.added_tokens);
  return definition;
}

}  // namespace moescope
