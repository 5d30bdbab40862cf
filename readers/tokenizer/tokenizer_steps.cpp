#include "readers/tokenizer/tokenizer_steps.h"

#include "readers/errors.h"
#include "readers/text/strict_json.h"
#include "readers/tokenizer/pre_tokenizer.h"

namespace moescope {
namespace {

using nlohmann::json;

bool is_type(const json& value, const char* type) {
  return value.is_object() && value_or_null(value, "type") == type;
}

bool is_false_or_absent(const json& value) {
  return value.is_null() || value == false;
}

void require_nfc(const json& normalizer, const std::string& file) {
  if (!is_type(normalizer, "NFC")) refuse_tokenizer(file, "normalizer", "{\"type\":\"NFC\"}", normalizer);
}

void require_byte_level(const json& step, const std::string& key, const std::string& file) {
  if (!is_type(step, "ByteLevel")) refuse_tokenizer(file, key, "a ByteLevel", step);
  if (value_or_null(step, "add_prefix_space") != false) {
    refuse_tokenizer(file, key + ".add_prefix_space", "false", value_or_null(step, "add_prefix_space"));
  }
  // Absent, it is true: the byte-level step would then split by a pattern of its own.
  if (value_or_null(step, "use_regex") != false) {
    refuse_tokenizer(file, key + ".use_regex", "false", value_or_null(step, "use_regex"));
  }
}

std::string parse_split(const json& step, const std::string& key, const std::string& file) {
  if (!is_type(step, "Split")) refuse_tokenizer(file, key, "a Split", step);
  if (value_or_null(step, "behavior") != "Isolated") {
    refuse_tokenizer(file, key + ".behavior", "\"Isolated\"", value_or_null(step, "behavior"));
  }
  if (!is_false_or_absent(value_or_null(step, "invert")))
    refuse_tokenizer(file, key + ".invert", "false", step.at("invert"));
  const json& pattern = value_or_null(step, "pattern");
  const json& regex = pattern.is_object() ? value_or_null(pattern, "Regex") : pattern;
  if (!pattern.is_object() || !regex.is_string() ||
      !is_known_split_pattern(regex.get_ref<const std::string&>())) {
    refuse_tokenizer(file, key + ".pattern", "that of Qwen2", pattern);
  }
  return regex.get<std::string>();
}

// Returns the regular expression.
std::string parse_pre_tokenizer(const json& pre_tokenizer, const std::string& file) {
  const char* expected = "a Sequence of Split and ByteLevel";
  if (!is_type(pre_tokenizer, "Sequence")) refuse_tokenizer(file, "pre_tokenizer", expected, pre_tokenizer);
  const json& steps = value_or_null(pre_tokenizer, "pretokenizers");
  if (!steps.is_array() || steps.size() != 2)
    refuse_tokenizer(file, "pre_tokenizer.pretokenizers", expected, steps);
  require_byte_level(steps[1], "pre_tokenizer.pretokenizers[1]", file);
  return parse_split(steps[0], "pre_tokenizer.pretokenizers[0]", file);
}

// A byte-level post-processor only trims offsets; any other one may add tokens.
void require_no_tokens_added(const json& post_processor, const std::string& file) {
  if (post_processor.is_null() || is_type(post_processor, "ByteLevel")) return;
  refuse_tokenizer(file, "post_processor", "null or a ByteLevel", post_processor);
}

void require_plain_bpe(const json& model, const std::string& file) {
  if (!is_type(model, "BPE")) refuse_tokenizer(file, "model", "a BPE", model);
  for (const char* key : {"dropout", "continuing_subword_prefix", "end_of_word_suffix", "ignore_merges"}) {
    const json& value = value_or_null(model, key);
    const bool changes_nothing =
        is_false_or_absent(value) || value == "" || (value.is_number() && value == 0);
    if (!changes_nothing) refuse_tokenizer(file, std::string("model.") + key, "none", value);
  }
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
                         "only byte-level BPE tokenizers of the Qwen2 family are known");
}

std::string require_known_steps(const json& tokenizer, const std::string& file) {
  require_nfc(value_or_null(tokenizer, "normalizer"), file);
  require_no_tokens_added(value_or_null(tokenizer, "post_processor"), file);
  require_plain_bpe(value_or_null(tokenizer, "model"), file);
  return parse_pre_tokenizer(value_or_null(tokenizer, "pre_tokenizer"), file);
}

}  // namespace moescope
