#pragma once
/// The steps that a tokenizer.json describes around its vocabulary: which of them are known, and what is said
/// of the others. Only the sources of this folder include this header.

#include <nlohmann/json.hpp>
#include <string>

#include "readers/tokenizer/text_steps.h"

namespace moescope {

/// The value of a key of `object`; null when it has none.
const nlohmann::json& value_or_null(const nlohmann::json& object, const char* key);

/// Throws the UnsupportedModel for a value that would make other tokens than ours.
[[noreturn]] void refuse_tokenizer(const std::string& file, const std::string& key,
                                   const std::string& expected, const nlohmann::json& found);

/// Throws UnsupportedModel unless normalizer, pre-tokenizer, post-processor and the model's kind are known.
/// `tokenizer` is the whole file, an object.
TextSteps require_known_steps(const nlohmann::json& tokenizer, const std::string& file);

}  // namespace moescope
