#include "readers/recorded/recorded_config.h"

#include "readers/errors.h"
#include "readers/schema/datasets.h"

namespace moescope {
namespace {

constexpr auto configs = dataset::checkpoint_info_config_json;
constexpr const char* head_attribute =
    "stored_head";  // there if the stored head was used in spite of config.json

}  // namespace

ModelConfig recorded_config(const RunFile& run) {
  const std::string place = run.path().string() + ": " + std::string(configs);
  const std::vector<std::string> texts = run.read(configs);
  if (texts.empty()) throw FormatError(place, {}, "is empty");
  ModelConfig config = parse_model_config(texts.front(), place);
  if (run.attribute(configs, head_attribute)) config.tie_word_embeddings = false;
  return config;
}

void record_head(RunFile& run, const std::string& config_json, const ModelConfig& config) {
  const ModelConfig read = parse_model_config(config_json, "config.json");
  if (read.tie_word_embeddings == config.tie_word_embeddings) return;
  run.set_attribute(configs, head_attribute, std::string("differs from the embedding, and was used"));
}

}  // namespace moescope
