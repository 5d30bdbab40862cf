#pragma once
/// tokenizer.json, the file format of the Hugging Face `tokenizers` library, as far as byte-pair encoding
/// uses it.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "readers/tokenizer/byte_pair_encoding.h"
#include "readers/tokenizer/text_steps.h"

namespace moescope {

/// A token that is cut out of the text before it is tokenized.
struct AddedToken {
  std::string content;  // not empty
  std::uint32_t id = 0;
  bool normalized = false;  // looked for in normalized text instead of the raw one
};

struct VocabularyEntry {
  std::string bytes;
  std::uint32_t id = 0;
};

/// Everything that a tokenizer needs. Ids are unique.
struct TokenizerDefinition {
  TextSteps steps;
  BpeRules bpe;
  std::vector<AddedToken> added_tokens;
  std::vector<VocabularyEntry> vocabulary;  // added tokens that are not in the model's vocabulary included
};

/// Ids that a file may use: a sane bound, so that a hostile file cannot ask for all memory.
inline constexpr std::uint32_t greatest_token_id = (1u << 24) - 1;

/// Throws FormatError, and UnsupportedModel for a normalizer, pre-tokenizer, model, post-processor or kind of
/// added token that is not known. `file` names the source in messages. "truncation" and "padding" are not
/// looked at, nor what a template puts around a text: texts are never cut, padded or framed.
TokenizerDefinition parse_tokenizer_json(std::string_view json, const std::string& file);

}  // namespace moescope
