#include "readers/tokenizer/split_patterns.h"

#include "readers/tokenizer/unicode_classes.h"

namespace moescope {
namespace {

constexpr SplitPattern split_patterns[] = {
    {"GPT-2", gpt2_split_regex},
    {"Qwen2",
     R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)"},
    {"Qwen3.5",
     R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)"},
    {"Llama 3",
     R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)"},
    {"GPT-4o",
     R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?)"
     R"(|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?)"
     R"(|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)"},
    {"Ling",
     R"('(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+)"},
    // Three steps, one after the other. The last one spells line breaks as they are.
    {"DeepSeek-V3", R"(\p{N}{1,3})", false},
    {"DeepSeek-V3", "[\u4E00-\u9FA5\u3040-\u309F\u30A0-\u30FF]+", false},
    {"DeepSeek-V3",
     R"([!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^)"
     "\r\n"
     R"(\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[)"
     "\r\n"
     R"(]*|\s*[)"
     "\r\n"
     R"(]+|\s+(?!\S)|\s+)",
     false},
};

/// What stands for many characters at the beginning of a pattern's rest: \p{NAME}, \s or \S.
struct ClassEscape {
  std::string_view name;
  bool negated = false;
  std::size_t length = 0;  // 0: none
};

ClassEscape class_escape_at(std::string_view rest) {
  if (rest.starts_with("\\s")) return {"s", false, 2};
  if (rest.starts_with("\\S")) return {"s", true, 2};
  if (!rest.starts_with("\\p{")) return {};
  const std::size_t end = rest.find('}');
  return {rest.substr(3, end - 3), false, end + 1};
}

}  // namespace

const SplitPattern* find_split_pattern(std::string_view regex) {
  for (const SplitPattern& pattern : split_patterns) {
    if (pattern.regex == regex) return &pattern;
  }
  return nullptr;
}

std::string known_split_patterns() {
  std::string names;
  std::string_view last;
  for (const SplitPattern& pattern : split_patterns) {
    if (pattern.models == last) continue;
    names += (names.empty() ? "" : ", ") + std::string(pattern.models);
    last = pattern.models;
  }
  return names;
}

std::string pcre2_regex(std::string_view regex) {
  std::string translated;
  bool in_brackets = false;
  while (!regex.empty()) {
    const ClassEscape escape = class_escape_at(regex);
    if (escape.length > 0) {
      const std::string members = class_members(escape.name);
      translated += in_brackets ? members : (escape.negated ? "[^" : "[") + members + "]";
      regex.remove_prefix(escape.length);
      continue;
    }
    if (regex.front() == '[' || regex.front() == ']') in_brackets = regex.front() == '[';
    const std::size_t length = regex.front() == '\\' ? 2 : 1;
    translated += regex.substr(0, length);
    regex.remove_prefix(length);
  }
  return translated;
}

}  // namespace moescope
