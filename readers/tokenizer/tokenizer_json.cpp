#include "readers/tokenizer/tokenizer_json.h"

#include <algorithm>
#include <optional>
#include <unordered_set>
#include <utility>

#include "readers/errors.h"
#include "readers/text/quoted_text.h"
#include "readers/text/strict_json.h"
#include "readers/tokenizer/byte_alphabet.h"
#include "readers/tokenizer/metaspace.h"
#include "readers/tokenizer/tokenizer_steps.h"

namespace moescope {
namespace {

using nlohmann::json;

/// The model's vocabulary: token as the file spells it -> id.
struct Vocabulary {
  IdByText ids;
  bool is_byte_level = true;

  // The bytes that a token stands for: its own where it spells none.
  std::string bytes_of(const std::string& token) const {
    if (is_byte_level) return spelled_bytes(token).value_or(token);
    if (const auto byte = spelled_fallback_byte(token)) return {*byte};
    const auto spaced = with_spaces(token, false);
    return spaced ? spaced->text : token;
  }
  // The token of a byte that stands alone.
  std::string spelling(unsigned char byte) const {
    return is_byte_level ? printable_byte(byte) : fallback_byte(byte);
  }
};

Vocabulary parse_vocabulary(const JsonObject& model, bool is_byte_level) {
  const json& list = model.at("vocab");
  const JsonObject ids(list, model.file(), "model.vocab");
  Vocabulary vocabulary{{}, is_byte_level};
  std::unordered_set<std::uint32_t> seen;
  for (const auto& [token, unused] : list.items()) {
    const auto id = static_cast<std::uint32_t>(ids.integer(token, 0, greatest_token_id));
    if (!seen.insert(id).second) ids.fail(token, "has id " + std::to_string(id) + ", as another token has");
    vocabulary.ids.emplace(token, id);
  }
  return vocabulary;
}

// Throws unless the vocabulary has the token. `what` says what it stands for.
std::uint32_t require_token(const Vocabulary& vocabulary, const std::string& token, const std::string& what,
                            const std::string& file) {
  const auto found = vocabulary.ids.find(token);
  if (found != vocabulary.ids.end()) return found->second;
  throw FormatError(file, "'model.vocab'", "has no token " + single_quoted(token) + " for " + what);
}

std::array<std::uint32_t, 256> find_byte_ids(const Vocabulary& vocabulary, const std::string& file) {
  std::array<std::uint32_t, 256> ids{};
  for (unsigned byte = 0; byte < 256; ++byte) {
    ids[byte] = require_token(vocabulary, vocabulary.spelling(static_cast<unsigned char>(byte)),
                              "byte " + std::to_string(byte), file);
  }
  return ids;
}

bool is_one_character(std::string_view utf8) {
  return std::count_if(utf8.begin(), utf8.end(), [](char byte) { return (byte & 0xC0) != 0x80; }) == 1;
}

// A space is what ▁ stands for; a token that is spelled as a space is never made.
IdByText find_character_ids(const Vocabulary& vocabulary, const std::string& file) {
  IdByText ids;
  for (const auto& [token, id] : vocabulary.ids) {
    if (is_one_character(token)) ids.emplace(token, id);
  }
  ids.insert_or_assign(" ", require_token(vocabulary, std::string(metaspace), "the space", file));
  return ids;
}

// Tokens that bytes spell, by these bytes.
IdByText find_whole_ids(const Vocabulary& vocabulary) {
  IdByText ids;
  for (const auto& [token, id] : vocabulary.ids) {
    if (const auto bytes = spelled_bytes(token)) ids.emplace(*bytes, id);
  }
  return ids;
}

using TokenPair = std::pair<std::string, std::string>;

// The two tokens of a merge, written as "a b" or ["a", "b"].
std::optional<TokenPair> parse_pair(const json& merge) {
  if (merge.is_array()) {
    if (merge.size() != 2 || !merge[0].is_string() || !merge[1].is_string()) return std::nullopt;
    return TokenPair(merge[0].get<std::string>(), merge[1].get<std::string>());
  }
  if (!merge.is_string()) return std::nullopt;
  const auto& text = merge.get_ref<const std::string&>();
  const auto space = text.find(' ');
  if (space == std::string::npos || text.find(' ', space + 1) != std::string::npos) return std::nullopt;
  return TokenPair(text.substr(0, space), text.substr(space + 1));
}

std::vector<TokenPair> parse_merges(const JsonObject& model) {
  const json& list = model.at("merges");
  if (!list.is_array()) model.fail("merges", "expected a list, found " + excerpt(list));
  std::vector<TokenPair> pairs;
  pairs.reserve(list.size());
  for (const json& merge : list) {
    auto pair = parse_pair(merge);
    if (!pair) {
      model.fail("merges[" + std::to_string(pairs.size()) + "]",
                 "expected two tokens, found " + excerpt(merge));
    }
    pairs.push_back(std::move(*pair));
  }
  return pairs;
}

std::vector<BpeMerge> find_merge_ids(const std::vector<TokenPair>& pairs, const Vocabulary& vocabulary,
                                     const JsonObject& model) {
  std::vector<BpeMerge> merges;
  merges.reserve(pairs.size());
  const auto id = [&](const std::string& token) {
    const auto found = vocabulary.ids.find(token);
    const bool is_byte = !vocabulary.is_byte_level && spelled_fallback_byte(token);
    if (found != vocabulary.ids.end() && !is_byte) return found->second;
    model.fail("merges[" + std::to_string(merges.size()) + "]",
               single_quoted(token) + (is_byte ? " is the token of a byte" : " is not in the vocabulary"));
  };
  for (const auto& [left, right] : pairs) merges.push_back({id(left), id(right), id(left + right)});
  return merges;
}

// Whether a merge joins the end of one word and the space before the next.
bool joins_words(const TokenPair& pair) {
  return !pair.first.ends_with(metaspace) && pair.second.starts_with(metaspace);
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
void require_unique_ids(const Vocabulary& vocabulary, const std::vector<AddedToken>& added_tokens,
                        const std::string& file) {
  std::unordered_set<std::uint32_t> ids;
  for (const auto& [token, id] : vocabulary.ids) ids.insert(id);
  for (const AddedToken& token : added_tokens) {
    const auto found = vocabulary.ids.find(token.content);
    const bool is_consistent =
        found != vocabulary.ids.end() ? found->second == token.id : ids.insert(token.id).second;
    if (is_consistent) continue;
    throw FormatError(file, "added token " + single_quoted(token.content),
                      "has id " + std::to_string(token.id) + ", which the vocabulary contradicts");
  }
}

// The bytes of every token. An added token is spelled as it is, also where the vocabulary has it too.
std::vector<VocabularyEntry> join(const Vocabulary& vocabulary, const std::vector<AddedToken>& added_tokens) {
  std::vector<VocabularyEntry> entries;
  entries.reserve(vocabulary.ids.size() + added_tokens.size());
  std::unordered_set<std::uint32_t> added_ids;
  for (const AddedToken& token : added_tokens) {
    added_ids.insert(token.id);
    entries.push_back({token.content, token.id});
  }
  for (const auto& [token, id] : vocabulary.ids) {
    if (!added_ids.contains(id)) entries.push_back({vocabulary.bytes_of(token), id});
  }
  return entries;
}

}  // namespace

TokenizerDefinition parse_tokenizer_json(std::string_view text, const std::string& file) {
  const json document = parse_strict_json(text, file);
  const JsonObject tokenizer(document, file, {});
  TokenizerDefinition definition;
  definition.steps = require_known_steps(document, file);
  const bool is_byte_level = definition.steps.is_byte_level;

  const JsonObject model(tokenizer.at("model"), file, "model");
  const Vocabulary vocabulary = parse_vocabulary(model, is_byte_level);
  const std::vector<TokenPair> merges = parse_merges(model);
  definition.bpe.byte_ids = find_byte_ids(vocabulary, file);
  definition.bpe.merges = find_merge_ids(merges, vocabulary, model);
  if (!is_byte_level) {
    definition.bpe.character_ids = find_character_ids(vocabulary, file);
    // Words that no merge joins have the same tokens one by one.
    if (definition.steps.space_split == SpaceSplit::nowhere &&
        std::none_of(merges.begin(), merges.end(), joins_words))
      definition.steps.space_split = SpaceSplit::words;
  } else if (model.find("ignore_merges") != nullptr && model.boolean("ignore_merges")) {
    definition.bpe.whole_ids = find_whole_ids(vocabulary);
  }

  definition.added_tokens = parse_added_tokens(value_or_null(document, "added_tokens"), file);
  require_unique_ids(vocabulary, definition.added_tokens, file);
  definition.vocabulary = join(vocabulary, definition.added_tokens);
  return definition;
}

}  // namespace moescope
