#pragma once
/// The regular expressions by which tokenizers split text into pre-tokens.

#include <string>
#include <string_view>

namespace moescope {

/// One that we know to split as the reference library does.
struct SplitPattern {
  std::string_view models;  // who uses it
  std::string_view regex;   // as a tokenizer.json spells it
  bool covers_text = true;  // matches follow each other without gaps
};

/// By which a ByteLevel step splits.
inline constexpr std::string_view gpt2_split_regex =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

/// Null for a pattern that is not known.
const SplitPattern* find_split_pattern(std::string_view regex);
/// The models of all known patterns, for a message.
std::string known_split_patterns();

/// A known pattern as PCRE2 has to read it to match what the reference library's Oniguruma does.
std::string pcre2_regex(std::string_view regex);

}  // namespace moescope
