#pragma once
/// A model family: all that moescope knows of it. Each has one file in readers/model/families, NAME.cpp,
/// which defines families::NAME(); it is known once it lies there (readers/CMakeLists.txt).

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "readers/model/model_config.h"
#include "readers/model/weight_rule.h"

namespace moescope {

class JsonObject;

/// A size that the family's config.json calls otherwise than ModelConfig does, or may leave out.
struct SizeKey {
  std::string_view field;              // "n_routed_experts"
  std::string_view key;                // "num_local_experts"
  std::optional<std::int64_t> absent;  // what it is when the key is not there; empty: it must be
};

/// Tensors of a part of the model that is not run.
struct OtherPart {
  std::string_view prefix;  // "mtp."
  std::string_view what;    // "multi-token prediction"
};

/// A key of config.json with its value.
struct ConfigConstant {
  std::string_view key;
  bool value = false;
};

/// What GGUF files of a family are: as llama.cpp's converter writes, and its code runs them.
struct GgufScheme {
  std::string_view architecture = {};  // general.architecture; empty: the family is not read from such files
  /// Which files of the architecture are meant, where several families share it.
  bool has_experts = true;
  std::optional<ScoreFunction> score = {};  // expert_gating_func; of none it is softmax
  /// What no file tells, for it is so in all of them; a file that tells it all the same is believed.
  std::vector<ConfigConstant> constants = {};
};

struct Family {
  std::string_view model_type;
  std::vector<std::string_view> architectures;  // they decide where families share a model_type
  std::vector<SizeKey> size_keys = {};          // all others are as in ModelConfig, and must be there
  bool has_latent_attention = false;            // sizes of heads are LatentScheme's
  /// Its configuration is the arguments of a Megatron-LM run: of them the sizes are read by size_keys, and
  /// all else by read_schemes.
  bool is_megatron = false;
  /// Sets has_experts, routing, attention and n_shared_experts; sizes are read before, and checked after it.
  /// Without has_experts no layer has any.
  /// Refuses what the family's forward pass would do otherwise (config_keys.h has the common parts).
  void (*read_schemes)(const JsonObject& object, ModelConfig& config) = nullptr;
  /// Where config.json has the language model's keys, in a model that has other parts; empty: at the top.
  std::string_view inner_config = {};
  std::string_view layer_prefix = "model.layers.";  // of the names of all that belongs to a layer
  std::vector<WeightRule> weights;                  // in any order
  std::vector<FusedRule> fused = {};
  std::vector<OtherPart> other_parts = {};
  GgufScheme gguf = {};
};

/// In the order of their names.
std::span<const Family> known_families();

/// Of a configuration that was parsed. Throws std::logic_error for any other.
const Family& family_of(const ModelConfig& config);

}  // namespace moescope
