#include "tests/support/checkpoint_builder.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdio>
#include <random>
#include <stdexcept>
#include <utility>

#include "readers/source_file.h"
#include "tests/support/temporary_directory.h"

namespace moescope {
namespace {

using Json = nlohmann::ordered_json;

/// Normal deviates that depend on the seed and the tensor's name alone. std::normal_distribution may differ
/// between standard libraries; twelve uniform numbers may not.
class Deviates {
 public:
  Deviates(std::uint64_t seed, const std::string& name) : engine_(seed) {
    for (const char c : name) engine_.seed(engine_() ^ static_cast<unsigned char>(c));
  }
  double next() {
    double sum = -6;
    for (int i = 0; i < 12; ++i) sum += static_cast<double>(engine_() >> 11) * 0x1p-53;
    return sum;
  }

 private:
  std::mt19937_64 engine_;
};

std::uint16_t to_bf16(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  return static_cast<std::uint16_t>((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
}

// For finite values; what is too large becomes infinite.
std::uint16_t to_f16(float value) {
  const auto sign = static_cast<std::uint16_t>(std::signbit(value) ? 0x8000 : 0);
  const double magnitude = std::fabs(static_cast<double>(value));
  if (magnitude == 0) return sign;
  const int exponent = std::max(std::ilogb(magnitude), -14);
  const auto units = static_cast<std::int64_t>(std::nearbyint(std::ldexp(magnitude, 10 - exponent)));
  const std::int64_t code =
      units + (static_cast<std::int64_t>(exponent + 14) << 10);  // carries into the exponent
  return static_cast<std::uint16_t>(sign | std::min<std::int64_t>(code, 0x7C00));
}

void append_little_endian(std::string& data, std::uint64_t value, unsigned bytes) {
  for (unsigned i = 0; i < bytes; ++i) data += static_cast<char>(value >> (8 * i) & 0xFF);
}

Json config_of(const CheckpointOptions& options) {
  const auto null_if_zero = [](std::int64_t value) { return value == 0 ? Json() : Json(value); };
  const char* dtype = options.dtype == DType::bf16  ? "bfloat16"
                      : options.dtype == DType::f16 ? "float16"
                                                    : "float32";
  Json config = {{"architectures", {"Dots1ForCausalLM"}},
                 {"attention_bias", options.attention_bias},
                 {"eos_token_id", 1},
                 {"first_k_dense_replace", options.first_k_dense_replace},
                 {"hidden_act", "silu"},
                 {"hidden_size", options.hidden_size},
                 {"intermediate_size", options.intermediate_size},
                 {"max_position_embeddings", 2048},
                 {"max_window_layers", options.max_window_layers},
                 {"model_type", "dots1"},
                 {"moe_intermediate_size", options.moe_intermediate_size},
                 {"moe_layer_freq", options.moe_layer_freq},
                 {"n_group", options.n_group},
                 {"n_routed_experts", options.n_routed_experts},
                 {"n_shared_experts", null_if_zero(options.n_shared_experts)},
                 {"norm_topk_prob", options.norm_topk_prob},
                 {"num_attention_heads", options.num_attention_heads},
                 {"num_experts_per_tok", options.num_experts_per_tok},
                 {"num_hidden_layers", options.num_hidden_layers},
                 {"num_key_value_heads", options.num_key_value_heads},
                 {"rms_norm_eps", 1e-6},
                 {"rope_scaling", nullptr},
                 {"rope_theta", 1e7},
                 {"routed_scaling_factor", options.routed_scaling_factor},
                 {"scoring_func", "sigmoid"},
                 {"sliding_window", null_if_zero(options.sliding_window)},
                 {"tie_word_embeddings", options.tie_word_embeddings},
                 {"topk_group", options.topk_group},
                 {"topk_method", "noaux_tc"},
                 {"torch_dtype", dtype},
                 {"vocab_size", options.vocab_size}};
  if (options.head_dim != 0) config["head_dim"] = options.head_dim;
  if (!options.layer_types.empty()) config["layer_types"] = options.layer_types;
  return config;
}

/// Makes the tensors in the order in which the reference implementation stores them.
class TensorWriter {
 public:
  explicit TensorWriter(const CheckpointOptions& options) : options_(options) {}

  std::vector<BuiltTensor> write();

 private:
  std::uint64_t size(std::int64_t value) const { return static_cast<std::uint64_t>(value); }
  void add(const std::string& name, std::vector<std::uint64_t> shape, double mean, double deviation,
           DType dtype);
  void add_matrix(const std::string& name, std::int64_t rows, std::int64_t cols);
  void add_vector(const std::string& name, std::int64_t length, double mean);
  void add_attention(const std::string& prefix);
  void add_mlp(const std::string& prefix, std::int64_t width);
  void add_experts(const std::string& prefix);
  void add_moe(const std::string& prefix);
  void fuse(const std::string& prefix, const std::vector<std::string>& parts, const std::string& fused_name);

  const CheckpointOptions& options_;
  std::vector<BuiltTensor> tensors_;
};

void TensorWriter::add(const std::string& name, std::vector<std::uint64_t> shape, double mean,
                       double deviation, DType dtype) {
  std::uint64_t count = 1;
  for (const std::uint64_t extent : shape) count *= extent;
  Deviates deviates(options_.seed, name);
  std::vector<float> values(count);
  for (float& value : values) value = static_cast<float>(mean + deviation * deviates.next());
  tensors_.push_back({name, dtype, std::move(shape), encode_elements(values, dtype)});
}

void TensorWriter::add_matrix(const std::string& name, std::int64_t rows, std::int64_t cols) {
  const double deviation = 1 / std::sqrt(static_cast<double>(cols));
  add(name, {size(rows), size(cols)}, 0, deviation, options_.dtype);
}

void TensorWriter::add_vector(const std::string& name, std::int64_t length, double mean) {
  add(name, {size(length)}, mean, 0.1, options_.dtype);
}

void TensorWriter::add_attention(const std::string& prefix) {
  const std::int64_t head_dim =
      options_.head_dim != 0 ? options_.head_dim : options_.hidden_size / options_.num_attention_heads;
  const std::int64_t query = options_.num_attention_heads * head_dim;
  const std::int64_t key_value = options_.num_key_value_heads * head_dim;
  const std::pair<const char*, std::int64_t> projections[] = {
      {"q", query}, {"k", key_value}, {"v", key_value}};
  for (const auto& [letter, rows] : projections) {
    add_matrix(prefix + letter + "_proj.weight", rows, options_.hidden_size);
    if (options_.attention_bias) add_vector(prefix + letter + "_proj.bias", rows, 0);
  }
  add_matrix(prefix + "o_proj.weight", options_.hidden_size, query);
  if (options_.attention_bias) add_vector(prefix + "o_proj.bias", options_.hidden_size, 0);
  add_vector(prefix + "q_norm.weight", head_dim, 1);
  add_vector(prefix + "k_norm.weight", head_dim, 1);
}

void TensorWriter::add_mlp(const std::string& prefix, std::int64_t width) {
  add_matrix(prefix + "gate_proj.weight", width, options_.hidden_size);
  add_matrix(prefix + "up_proj.weight", width, options_.hidden_size);
  add_matrix(prefix + "down_proj.weight", options_.hidden_size, width);
}

// Replaces PREFIX{e}.PART.weight of all experts by one tensor [E, parts * rows, cols].
void TensorWriter::fuse(const std::string& prefix, const std::vector<std::string>& parts,
                        const std::string& fused_name) {
  BuiltTensor fused{prefix + fused_name, options_.dtype, {}, {}};
  for (std::int64_t expert = 0; expert < options_.n_routed_experts; ++expert) {
    for (const std::string& part : parts) {
      const std::string name = prefix + std::to_string(expert) + "." + part + ".weight";
      const auto found = std::find_if(tensors_.begin(), tensors_.end(),
                                      [&](const BuiltTensor& tensor) { return tensor.name == name; });
      fused.shape = {size(options_.n_routed_experts), parts.size() * found->shape[0], found->shape[1]};
      fused.data += found->data;
      tensors_.erase(found);
    }
  }
  tensors_.push_back(std::move(fused));
}

// Both layouts hold the same values.
void TensorWriter::add_experts(const std::string& prefix) {
  for (std::int64_t expert = 0; expert < options_.n_routed_experts; ++expert) {
    add_mlp(prefix + std::to_string(expert) + ".", options_.moe_intermediate_size);
  }
  if (!options_.fused_experts) return;
  fuse(prefix, {"gate_proj", "up_proj"}, "gate_up_proj");
  fuse(prefix, {"down_proj"}, "down_proj");
}

void TensorWriter::add_moe(const std::string& prefix) {
  add_experts(prefix + "experts.");
  add_matrix(prefix + "gate.weight", options_.n_routed_experts, options_.hidden_size);
  add(prefix + "gate.e_score_correction_bias", {size(options_.n_routed_experts)}, 0, options_.bias_scale,
      options_.bias_dtype);
  if (options_.n_shared_experts > 0) {
    add_mlp(prefix + "shared_experts.", options_.n_shared_experts * options_.moe_intermediate_size);
  }
}

std::vector<BuiltTensor> TensorWriter::write() {
  add("model.embed_tokens.weight", {size(options_.vocab_size), size(options_.hidden_size)}, 0, 1,
      options_.dtype);
  for (std::int64_t layer = 0; layer < options_.num_hidden_layers; ++layer) {
    const std::string prefix = "model.layers." + std::to_string(layer) + ".";
    add_attention(prefix + "self_attn.");
    const bool moe = layer >= options_.first_k_dense_replace && layer % options_.moe_layer_freq == 0;
    if (moe) add_moe(prefix + "mlp.");
    if (!moe) add_mlp(prefix + "mlp.", options_.intermediate_size);
    add_vector(prefix + "input_layernorm.weight", options_.hidden_size, 1);
    add_vector(prefix + "post_attention_layernorm.weight", options_.hidden_size, 1);
  }
  add_vector("model.norm.weight", options_.hidden_size, 1);
  if (!options_.tie_word_embeddings) add_matrix("lm_head.weight", options_.vocab_size, options_.hidden_size);
  return std::move(tensors_);
}

std::string shard_name(std::size_t number, std::size_t shards) {
  if (shards == 1) return "model.safetensors";
  char name[64];
  std::snprintf(name, sizeof name, "model-%05zu-of-%05zu.safetensors", number + 1, shards);
  return name;
}

}  // namespace

std::string encode_elements(const std::vector<float>& values, DType dtype) {
  std::string data;
  data.reserve(values.size() * dtype_bits(dtype) / 8);
  for (const float value : values) {
    if (dtype == DType::bf16) append_little_endian(data, to_bf16(value), 2);
    if (dtype == DType::f16) append_little_endian(data, to_f16(value), 2);
    if (dtype == DType::f32) append_little_endian(data, std::bit_cast<std::uint32_t>(value), 4);
  }
  return data;
}

std::string safetensors_bytes(std::string_view header, std::string_view buffer) {
  std::string bytes;
  append_little_endian(bytes, header.size(), 8);
  return bytes.append(header).append(buffer);
}

std::string safetensors_bytes(const std::vector<BuiltTensor>& tensors, const Json& metadata) {
  Json header = Json::object();
  if (!metadata.is_null()) header["__metadata__"] = metadata;
  std::string buffer;
  for (const BuiltTensor& tensor : tensors) {
    const std::size_t begin = buffer.size();
    buffer += tensor.data;
    header[tensor.name] = {{"dtype", dtype_name(tensor.dtype)},
                           {"shape", tensor.shape},
                           {"data_offsets", {begin, buffer.size()}}};
  }
  std::string text = header.dump();
  text.append((8 - text.size() % 8) % 8, ' ');  // as the reference writer aligns the data
  return safetensors_bytes(text, buffer);
}

BuiltTensor& BuiltCheckpoint::tensor(const std::string& name) {
  for (BuiltTensor& candidate : tensors) {
    if (candidate.name == name) return candidate;
  }
  throw std::out_of_range("no tensor " + name);
}

void BuiltCheckpoint::drop(const std::string& name) {
  tensor(name);
  std::erase_if(tensors, [&](const BuiltTensor& candidate) { return candidate.name == name; });
}

void BuiltCheckpoint::write(const std::filesystem::path& directory) const {
  write_file(directory / "config.json", config.dump(2));
  Json weight_map = Json::object();
  std::uint64_t total_size = 0;
  for (std::size_t shard = 0; shard < shards; ++shard) {
    const std::size_t first = tensors.size() * shard / shards, last = tensors.size() * (shard + 1) / shards;
    const std::vector<BuiltTensor> part(tensors.begin() + static_cast<std::ptrdiff_t>(first),
                                        tensors.begin() + static_cast<std::ptrdiff_t>(last));
    write_file(directory / shard_name(shard, shards), safetensors_bytes(part));
    for (const BuiltTensor& stored : part) {
      weight_map[stored.name] = shard_name(shard, shards);
      total_size += stored.data.size();
    }
  }
  if (shards == 1) return;
  const Json index = {{"metadata", {{"total_size", total_size}}}, {"weight_map", weight_map}};
  write_file(directory / "model.safetensors.index.json", index.dump(2));
}

BuiltCheckpoint build_checkpoint(const CheckpointOptions& options) {
  return {config_of(options), TensorWriter(options).write(), options.shards};
}

void write_checkpoint(const std::filesystem::path& directory, const CheckpointOptions& options) {
  build_checkpoint(options).write(directory);
}

void edit_bytes(const std::filesystem::path& file, const std::function<void(std::string&)>& edit) {
  std::string bytes = read_whole_file(file);
  edit(bytes);
  write_file(file, bytes);
}

void edit_json(const std::filesystem::path& file, const std::function<void(Json&)>& edit) {
  edit_bytes(file, [&](std::string& text) {
    Json document = Json::parse(text);
    edit(document);
    text = document.dump(2);
  });
}

void edit_header(const std::filesystem::path& shard, const std::function<void(std::string&)>& edit) {
  edit_bytes(shard, [&](std::string& bytes) {
    std::uint64_t length = 0;
    for (unsigned i = 8; i-- > 0;) length = length << 8 | static_cast<unsigned char>(bytes[i]);
    std::string header = bytes.substr(8, length);
    edit(header);
    bytes = safetensors_bytes(header, bytes.substr(8 + length));
  });
}

}  // namespace moescope
