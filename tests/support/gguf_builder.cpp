#include "tests/support/gguf_builder.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <stdexcept>

namespace moescope {
namespace {

template <class Number>
std::string little_endian(Number value) {
  std::string bytes(sizeof value, '\0');
  std::memcpy(bytes.data(), &value, sizeof value);
  return bytes;
}

std::string typed(std::uint32_t type, const std::string& value) {
  return little_endian(type) + value;
}

void pad(std::string& bytes, std::uint64_t alignment) {
  while (bytes.size() % alignment != 0) bytes += '\0';
}

std::uint32_t ggml_number(DType dtype) {
  switch (dtype) {
    case DType::f32:
      return 0;
    case DType::f16:
      return 1;
    case DType::q8_0:
      return 8;
    case DType::bf16:
      return 30;
    default:
      throw std::invalid_argument("no type of GGUF");
  }
}

/// Names within a layer; those of experts without the expert's number.
const std::map<std::string, std::string> layer_names = {
    {"input_layernorm.weight", "attn_norm.weight"},
    {"post_attention_layernorm.weight", "ffn_norm.weight"},
    {"self_attn.q_proj.weight", "attn_q.weight"},
    {"self_attn.k_proj.weight", "attn_k.weight"},
    {"self_attn.v_proj.weight", "attn_v.weight"},
    {"self_attn.o_proj.weight", "attn_output.weight"},
    {"self_attn.q_norm.weight", "attn_q_norm.weight"},
    {"self_attn.k_norm.weight", "attn_k_norm.weight"},
    {"mlp.gate_proj.weight", "ffn_gate.weight"},
    {"mlp.up_proj.weight", "ffn_up.weight"},
    {"mlp.down_proj.weight", "ffn_down.weight"},
    {"mlp.gate.weight", "ffn_gate_inp.weight"},
    {"mlp.gate.e_score_correction_bias", "exp_probs_b.bias"},
    {"mlp.shared_experts.gate_proj.weight", "ffn_gate_shexp.weight"},
    {"mlp.shared_experts.up_proj.weight", "ffn_up_shexp.weight"},
    {"mlp.shared_experts.down_proj.weight", "ffn_down_shexp.weight"},
    {"mlp.experts..gate_proj.weight", "ffn_gate_exps.weight"},
    {"mlp.experts..up_proj.weight", "ffn_up_exps.weight"},
    {"mlp.experts..down_proj.weight", "ffn_down_exps.weight"},
};

std::string gguf_name(const std::string& name) {
  if (name == "model.embed_tokens.weight") return "token_embd.weight";
  if (name == "model.norm.weight") return "output_norm.weight";
  if (name == "lm_head.weight") return "output.weight";
  const std::string prefix = "model.layers.", experts = "mlp.experts.";
  const std::size_t dot = name.find('.', prefix.size());
  std::string inner = name.substr(dot + 1);
  if (inner.starts_with(experts)) inner = experts + inner.substr(inner.find('.', experts.size()));
  return "blk." + name.substr(prefix.size(), dot - prefix.size()) + "." + layer_names.at(inner);
}

std::vector<GgufEntry> metadata_of(const nlohmann::ordered_json& config) {
  using namespace gguf_value;
  const auto number = [&](const char* key, const char* of) {
    return GgufEntry{std::string("dots1.") + key, u32(config.at(of).get<std::uint32_t>())};
  };
  const auto real = [&](const char* key, const char* of) {
    return GgufEntry{std::string("dots1.") + key, f32(config.at(of).get<float>())};
  };
  return {{"general.architecture", text("dots1")},
          number("block_count", "num_hidden_layers"),
          number("context_length", "max_position_embeddings"),
          number("embedding_length", "hidden_size"),
          number("feed_forward_length", "intermediate_size"),
          number("attention.head_count", "num_attention_heads"),
          number("attention.head_count_kv", "num_key_value_heads"),
          real("attention.layer_norm_rms_epsilon", "rms_norm_eps"),
          real("rope.freq_base", "rope_theta"),
          number("expert_count", "n_routed_experts"),
          number("expert_used_count", "num_experts_per_tok"),
          number("expert_feed_forward_length", "moe_intermediate_size"),
          number("expert_shared_count", "n_shared_experts"),
          number("leading_dense_block_count", "first_k_dense_replace"),
          real("expert_weights_scale", "routed_scaling_factor"),
          {"dots1.expert_weights_norm", boolean(config.at("norm_topk_prob").get<bool>())},
          {"dots1.expert_gating_func", u32(2)},
          {"tokenizer.ggml.eos_token_id", u32(config.at("eos_token_id").get<std::uint32_t>())}};
}

}  // namespace

namespace gguf_value {
std::string u16(std::uint16_t value) {
  return typed(2, little_endian(value));
}
std::string u32(std::uint32_t value) {
  return typed(4, little_endian(value));
}
std::string i64(std::int64_t value) {
  return typed(11, little_endian(value));
}
std::string f32(float value) {
  return typed(6, little_endian(value));
}
std::string boolean(std::uint8_t value) {
  return typed(7, little_endian(value));
}
std::string text(std::string_view value) {
  return typed(8, gguf_text(value));
}
std::string array(std::uint32_t type, std::uint64_t count, const std::string& elements) {
  return typed(9, little_endian(type) + little_endian(count) + elements);
}
}  // namespace gguf_value

std::string gguf_number(std::uint64_t value) {
  return little_endian(value);
}

std::string gguf_text(std::string_view text) {
  return little_endian(std::uint64_t{text.size()}) + std::string(text);
}

void BuiltGguf::add(const BuiltTensor& tensor, const std::string& name) {
  std::uint64_t offset = 0;
  for (const BuiltGgufTensor& before : tensors)
    offset += (before.data.size() + alignment - 1) / alignment * alignment;
  tensors.push_back({name, ggml_number(tensor.dtype), tensor.shape, tensor.data, offset});
  std::ranges::reverse(tensors.back().extents);
}

std::string BuiltGguf::bytes() const {
  std::string head = "GGUF" + little_endian(version) + little_endian(std::uint64_t{tensors.size()}) +
                     little_endian(std::uint64_t{metadata.size()});
  for (const GgufEntry& entry : metadata) head += gguf_text(entry.key) + entry.value;
  std::string data;
  for (const BuiltGgufTensor& tensor : tensors) {
    head += gguf_text(tensor.name) + little_endian(static_cast<std::uint32_t>(tensor.extents.size()));
    for (const std::uint64_t extent : tensor.extents) head += little_endian(extent);
    head += little_endian(tensor.type) + little_endian(tensor.offset);
    data += tensor.data;
    pad(data, alignment);
  }
  pad(head, alignment);
  return head + data;
}

BuiltGguf gguf_of(const BuiltCheckpoint& checkpoint) {
  BuiltGguf built;
  built.metadata = metadata_of(checkpoint.config);
  std::vector<BuiltTensor> stacked;
  for (const BuiltTensor& tensor : checkpoint.tensors) {
    const std::string name = gguf_name(tensor.name);
    const auto known = std::ranges::find(stacked, name, &BuiltTensor::name);
    if (known != stacked.end()) {  // a further expert
      known->data += tensor.data;
      known->shape.front() += 1;
      continue;
    }
    stacked.push_back({name, tensor.dtype, tensor.shape, tensor.data});
    if (name.ends_with("_exps.weight")) stacked.back().shape.insert(stacked.back().shape.begin(), 1);
  }
  for (const BuiltTensor& tensor : stacked) built.add(tensor, tensor.name);
  return built;
}

}  // namespace moescope
