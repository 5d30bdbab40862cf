#include "readers/tokenizer/tokenizer_steps.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "readers/errors.h"
#include "readers/text/quoted_text.h"
#include "readers/text/strict_json.h"
#include "readers/tokenizer/metaspace.h"
#include "readers/tokenizer/split_patterns.h"

namespace moescope {
namespace {

using nlohmann::json;

bool is_type(const json& value, const char* type) {
  return value.is_object() && value_or_null(value, "type") == type;
}

bool is_false_or_absent(const json& value) {
  return value.is_null() || value == false;
}

/// A step, and where it stands.
struct Step {
  const json& value;
  std::string key;

  [[noreturn]] void refuse(const std::string& file, const std::string& expected) const {
    refuse_tokenizer(file, key, expected, value);
  }
  [[noreturn]] void refuse(const std::string& file, const char* name, const std::string& expected) const {
    refuse_tokenizer(file, key + "." + name, expected, value_or_null(value, name));
  }
};
using Steps = std::vector<Step>;

// The steps of a value that is one step, a Sequence of steps, `list` of it, or null.
Steps steps_of(const json& value, const std::string& key, const char* list, const std::string& file) {
  if (value.is_null()) return {};
  if (!is_type(value, "Sequence")) return {{value, key}};
  const json& members = value_or_null(value, list);
  if (!members.is_array()) refuse_tokenizer(file, key + "." + list, "a list", members);
  Steps steps;
  for (std::size_t i = 0; i < members.size(); ++i) {
    steps.push_back({members[i], key + "." + list + "[" + std::to_string(i) + "]"});
  }
  return steps;
}

void parse_normalizer(const Steps& steps, const json& whole, const std::string& file, TextSteps& text) {
  static const json replace = {{"type", "Replace"}, {"pattern", {{"String", " "}}}, {"content", metaspace}};
  static const json prepend = {{"type", "Prepend"}, {"prepend", metaspace}};
  if (steps.size() == 1 && is_type(steps[0].value, "NFC")) {
    text.composes = true;
  } else if (steps.size() == 1 && steps[0].value == replace) {
    text.marks_spaces = true;
  } else if (steps.size() == 2 && steps[0].value == prepend && steps[1].value == replace) {
    text.marks_spaces = text.prepends_space = true;
  } else if (!steps.empty()) {
    refuse_tokenizer(file, "normalizer", "none, an NFC, or a Prepend of ▁ and a Replace of the space by ▁",
                     whole);
  }
}

bool parse_flag(const Step& step, const char* name, std::optional<bool> absent, const std::string& file) {
  const json& value = value_or_null(step.value, name);
  if (value.is_boolean()) return value.get<bool>();
  if (!value.is_null() || !absent) step.refuse(file, name, "true or false");
  return *absent;
}

// Isolated keeps the matches and what lies between them, Removed of an inverted pattern the matches only.
void require_split_of_all(const Step& step, bool covers_text, const std::string& file) {
  const json& behavior = value_or_null(step.value, "behavior");
  const bool inverts = parse_flag(step, "invert", false, file);
  if (behavior == "Isolated" && !inverts) return;
  if (behavior == "Removed" && inverts && covers_text) return;
  if (behavior == "Isolated") step.refuse(file, "invert", "false");
  step.refuse(file, "behavior", "\"Isolated\"");
}

std::string parse_split(const Step& step, const std::string& file) {
  const json& pattern = value_or_null(step.value, "pattern");
  const json& regex = pattern.is_object() ? value_or_null(pattern, "Regex") : pattern;
  if (!pattern.is_object() || !regex.is_string()) step.refuse(file, "pattern", "a Regex");
  const auto& text = regex.get_ref<const std::string&>();
  const SplitPattern* known = find_split_pattern(text);
  if (known == nullptr) {
    throw UnsupportedModel(file, "'" + step.key + ".pattern'",
                           "is none that is known, " + single_quoted(text),
                           "known are the patterns of " + known_split_patterns());
  }
  require_split_of_all(step, known->covers_text, file);
  return text;
}

void parse_byte_level(const Step& step, const std::string& file, TextSteps& text) {
  if (parse_flag(step, "add_prefix_space", std::nullopt, file)) {
    // After a Split it would put a space before every part.
    if (!text.split_regexes.empty()) step.refuse(file, "add_prefix_space", "false");
    text.prefix_space = PrefixSpace::everywhere;
  }
  if (parse_flag(step, "use_regex", true, file)) text.split_regexes.emplace_back(gpt2_split_regex);
}

PrefixSpace parse_prepend_scheme(const Step& step, const std::string& file) {
  const json& scheme = value_or_null(step.value, "prepend_scheme");
  if (scheme == "never") return PrefixSpace::nowhere;
  // As older files say it. The reference library wants both to agree.
  if (!parse_flag(step, "add_prefix_space", true, file)) step.refuse(file, "prepend_scheme", "\"never\"");
  if (scheme == "first") return PrefixSpace::at_text_start;
  if (scheme.is_null() || scheme == "always") return PrefixSpace::everywhere;
  step.refuse(file, "prepend_scheme", "\"first\", \"always\" or \"never\"");
}

void parse_metaspace(const Step& step, const std::string& file, TextSteps& text) {
  if (value_or_null(step.value, "replacement") != metaspace) step.refuse(file, "replacement", "\"▁\"");
  text.prefix_space = parse_prepend_scheme(step, file);
  if (parse_flag(step, "split", true, file)) text.space_split = SpaceSplit::every_space;
}

// Splits, and a ByteLevel at the end.
void parse_splits(const Steps& steps, const std::string& file, TextSteps& text) {
  for (std::size_t i = 0; i + 1 < steps.size(); ++i) {
    if (!is_type(steps[i].value, "Split")) steps[i].refuse(file, "a Split");
    text.split_regexes.push_back(parse_split(steps[i], file));
  }
  if (!is_type(steps.back().value, "ByteLevel")) steps.back().refuse(file, "a ByteLevel");
  parse_byte_level(steps.back(), file, text);
}

void parse_pre_tokenizer(const Steps& steps, const json& whole, const std::string& file, TextSteps& text) {
  const bool has_metaspace = steps.size() == 1 && is_type(steps[0].value, "Metaspace");
  text.is_byte_level = !text.marks_spaces && !has_metaspace;
  if (text.marks_spaces && !steps.empty()) {
    refuse_tokenizer(file, "pre_tokenizer", "none after a normalizer that writes ▁", whole);
  }
  if (text.is_byte_level && steps.empty()) {
    refuse_tokenizer(file, "pre_tokenizer", "a ByteLevel, Splits and a ByteLevel, or a Metaspace", whole);
  }
  if (text.is_byte_level) parse_splits(steps, file, text);
  if (has_metaspace) parse_metaspace(steps[0], file, text);
}

// Special tokens around one text. They are never added.
void require_template(const Step& step, const std::string& file) {
  const json& single = value_or_null(step.value, "single");
  const auto count = [&](const char* kind) {
    const auto is_kind = [&](const json& piece) { return piece.is_object() && piece.contains(kind); };
    return single.is_array() ? std::count_if(single.begin(), single.end(), is_kind) : 0;
  };
  const bool is_text_once =
      count("Sequence") == 1 && count("SpecialToken") + 1 == static_cast<std::ptrdiff_t>(single.size());
  if (!is_text_once) step.refuse(file, "single", "one Sequence and SpecialTokens");
}

// A ByteLevel only trims offsets.
void require_known_post_processor(const Steps& steps, const std::string& file) {
  for (const Step& step : steps) {
    if (is_type(step.value, "TemplateProcessing")) {
      require_template(step, file);
    } else if (!is_type(step.value, "ByteLevel")) {
      step.refuse(file, "a ByteLevel or a TemplateProcessing");
    }
  }
}

// "unk_token" and "fuse_unk" are not looked at: every byte has a token, so that nothing is unknown.
void require_plain_bpe(const Step& model, bool is_byte_level, const std::string& file) {
  if (!is_type(model.value, "BPE")) model.refuse(file, "a BPE");
  for (const char* key : {"dropout", "continuing_subword_prefix", "end_of_word_suffix"}) {
    const json& value = value_or_null(model.value, key);
    const bool changes_nothing =
        is_false_or_absent(value) || value == "" || (value.is_number() && value == 0);
    if (!changes_nothing) model.refuse(file, key, "none");
  }
  const bool ignores_merges = parse_flag(model, "ignore_merges", false, file);
  if (is_byte_level) return;
  if (ignores_merges) model.refuse(file, "ignore_merges", "false");
  if (!parse_flag(model, "byte_fallback", false, file)) model.refuse(file, "byte_fallback", "true");
}

}  // namespace

const json& value_or_null(const json& object, const char* key) {
  static const json null;
  const auto found = object.find(key);
  return found == object.end() ? null : *found;
}

void refuse_tokenizer(const std::string& file, const std::string& key, const std::string& expected,
                      const json& found) {
  throw UnsupportedModel(file, "'" + key + "'",
                         "is not one that is known (expected " + expected + ", found " + excerpt(found) + ")",
                         "known are byte-level BPE and the BPE over characters of Llama 2");
}

TextSteps require_known_steps(const json& tokenizer, const std::string& file) {
  const json& normalizer = value_or_null(tokenizer, "normalizer");
  const json& pre_tokenizer = value_or_null(tokenizer, "pre_tokenizer");
  const json& post_processor = value_or_null(tokenizer, "post_processor");
  TextSteps text;
  parse_normalizer(steps_of(normalizer, "normalizer", "normalizers", file), normalizer, file, text);
  parse_pre_tokenizer(steps_of(pre_tokenizer, "pre_tokenizer", "pretokenizers", file), pre_tokenizer, file,
                      text);
  require_known_post_processor(steps_of(post_processor, "post_processor", "processors", file), file);
  require_plain_bpe({value_or_null(tokenizer, "model"), "model"}, text.is_byte_level, file);
  return text;
}

}  // namespace moescope
