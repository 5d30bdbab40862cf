#include "tests/support/released_shape.h"

#include <algorithm>

#include "readers/errors.h"
#include "readers/files/source_file.h"
#include "readers/model/family.h"
#include "tests/support/source_path.h"

namespace moescope {
namespace {

using Json = nlohmann::ordered_json;

struct Shape {
  std::string_view name, file;
};

constexpr Shape shapes[] = {{"dots1", "data/dots_llm1/config.json"},                    // dots.llm1
                            {"olmoe", "tests/support/shapes/olmoe.json"},               // OLMoE-1B-7B-0924
                            {"qwen3", "tests/support/shapes/qwen3.json"},               // Qwen3-235B-A22B
                            {"qwen3_next", "tests/support/shapes/qwen3_next.json"},     // Qwen3-Next-80B-A3B
                            {"deepseek_v3", "tests/support/shapes/deepseek_v3.json"}};  // DeepSeek-V3

/// What the family calls a size.
std::string key_of(const Json& config, std::string_view field) {
  const auto families = known_families();
  const auto family =
      std::ranges::find(families, config.at("model_type").get<std::string>(), &Family::model_type);
  if (family == families.end()) return std::string(field);
  const auto renamed = std::ranges::find(family->size_keys, field, &SizeKey::field);
  return std::string(renamed == family->size_keys.end() ? field : renamed->key);
}

}  // namespace

std::string shape_names() {
  std::string names;
  for (const Shape& shape : shapes) names += (names.empty() ? "" : ", ") + std::string(shape.name);
  return names;
}

Json released_shape(const std::string& name) {
  const auto shape = std::ranges::find(shapes, name, &Shape::name);
  if (shape == std::end(shapes)) throw UsageError("no shape '" + name + "'", "there are " + shape_names());
  return Json::parse(read_whole_file(source_path(shape->file)));
}

bool resize(Json& config, std::string_view field, std::int64_t value) {
  const std::string key = key_of(config, field);
  if (!config.contains(key)) return false;
  const bool is_both = key == "num_attention_heads" && config.at(key) == config.at("num_key_value_heads");
  if (is_both) config["num_key_value_heads"] = value;
  config[key] = value;
  const std::int64_t last = config.at("vocab_size").get<std::int64_t>() - 1;
  if (config.at("eos_token_id") > last) config["eos_token_id"] = last;
  return true;
}

}  // namespace moescope
