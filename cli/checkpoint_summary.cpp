#include "cli/checkpoint_summary.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "cli/config_keys_text.h"
#include "cli/terminal.h"
#include "readers/model/role_words.h"
#include "readers/model/routing_words.h"
#include "readers/text/name_list.h"

namespace moescope {
namespace {

using Align = Table::Align;

RoleSummary summarize_group(const ModelWeights& weights, RoleGroup group) {
  RoleSummary summary{group, 0, 0, 0, {}};
  for (const Weight& weight : weights.all()) {
    if (role_group(weight.key.role) != group) continue;
    summary.weights += 1;
    summary.parameters += weight.size();
    summary.bytes += weight.bytes();
    const std::string dtype(dtype_name(weight.dtype));
    if (std::find(summary.dtypes.begin(), summary.dtypes.end(), dtype) == summary.dtypes.end()) {
      summary.dtypes.push_back(dtype);
    }
  }
  return summary;
}

std::string layers_in_words(const ModelConfig& config) {
  const auto moe = static_cast<std::int64_t>(config.moe_layers().size());
  if (moe == 0) return std::to_string(config.num_hidden_layers) + ", all dense";
  const std::string experts = std::to_string(moe) + " mixture-of-experts";
  const auto dense = config.num_hidden_layers - moe;
  return std::to_string(config.num_hidden_layers) + ": " + std::to_string(dense) + " dense, " + experts;
}

std::string attention_in_words(const ModelConfig& config) {
  std::string text = plural(static_cast<std::uint64_t>(config.num_attention_heads), "head") + " of " +
                     std::to_string(config.head_dim);
  if (config.num_key_value_heads != config.num_attention_heads) {
    text += ", " + std::to_string(config.num_key_value_heads) + " for keys and values";
  }
  if (const auto& latent = config.attention.latent) {
    text += ", values of " + std::to_string(config.value_head_dim) + ", latent vectors of " +
            std::to_string(latent->key_value_rank);
    if (latent->query_rank > 0) text += " (queries " + std::to_string(latent->query_rank) + ")";
  }
  if (config.attention.bias) text += ", with bias";
  std::int64_t sliding = 0;
  for (std::int64_t layer = 0; layer < config.num_hidden_layers; ++layer)
    sliding += config.attention.window_in(layer).has_value();
  if (sliding > 0) {
    text += ", window of " + std::to_string(*config.attention.window) + " in " +
            plural(static_cast<std::uint64_t>(sliding), "layer");
  }
  if (const auto& linear = config.attention.linear) {
    const auto layers = std::ranges::count(linear->layers, true);
    text += "; linear in " + plural(static_cast<std::uint64_t>(layers), "layer") + ": " +
            plural(static_cast<std::uint64_t>(linear->value_heads), "head") + " of " +
            std::to_string(linear->value_features) + ", " + std::to_string(linear->key_heads) +
            " for keys of " + std::to_string(linear->key_features);
  }
  return text;
}

std::string experts_in_words(const ModelConfig& config) {
  if (config.moe_layers().empty()) return "none";
  return std::to_string(config.n_routed_experts) + " routed, " + std::to_string(config.num_experts_per_tok) +
         " per token, " + std::to_string(config.n_shared_experts) + " shared; width " +
         std::to_string(config.moe_intermediate_size);
}

std::string dtypes_in_words(const CheckpointSummary& summary) {
  std::vector<std::string> parts;
  for (const auto& [name, part] : summary.dtypes) {
    parts.push_back(name + " " + format_bytes(static_cast<double>(part.bytes)));
  }
  return name_list(parts);
}

std::string size_in_words(const CheckpointSummary& summary) {
  return format_bytes(static_cast<double>(summary.bytes)) + " in " + plural(summary.shards.size(), "shard") +
         " (" + summary.format + "), " + plural(summary.tensors, "tensor");
}

std::string role_table(const CheckpointSummary& summary) {
  Table table({{"role"},
               {"weights", Align::right},
               {"parameters", Align::right},
               {"share", Align::right},
               {"bytes", Align::right},
               {"dtype"}});
  double all = 0;
  for (const RoleSummary& role : summary.roles) all += static_cast<double>(role.parameters);
  for (const RoleSummary& role : summary.roles) {
    const auto parameters = static_cast<double>(role.parameters);
    table.add({role_words(role_group_name(role.group)), std::to_string(role.weights),
               format_count(parameters), format_percent(parameters / all),
               format_bytes(static_cast<double>(role.bytes)), name_list(role.dtypes)});
  }
  return table.text();
}

nlohmann::ordered_json config_json(const ModelConfig& config) {
  nlohmann::ordered_json json = {
      {"hidden_size", config.hidden_size},
      {"num_hidden_layers", config.num_hidden_layers},
      {"moe_layers", config.moe_layers()},
      {"num_attention_heads", config.num_attention_heads},
      {"num_key_value_heads", config.num_key_value_heads},
      {"head_dim", config.head_dim},
      {"intermediate_size", config.intermediate_size},
      {"moe_intermediate_size", config.moe_intermediate_size},
      {"n_routed_experts", config.n_routed_experts},
      {"n_shared_experts", config.n_shared_experts},
      {"num_experts_per_tok", config.num_experts_per_tok},
      {"n_group", config.routing.groups},
      {"topk_group", config.routing.kept_groups},
      {"scoring_func", score_function_name(config.routing.score)},
      {"norm_topk_prob", config.routing.renormalise},
      {"routed_scaling_factor", config.routing.scale},
      {"rms_norm_eps", config.rms_norm_eps},
      {"rope_theta", config.attention.rotary.base},
      {"max_position_embeddings", config.max_position_embeddings},
      {"attention_bias", config.attention.bias},
      {"tie_word_embeddings", config.tie_word_embeddings},
      {"vocab_size", config.vocab_size},
      {"torch_dtype", config.torch_dtype},
  };
  json["sliding_window"] = nullptr;
  if (config.attention.window) json["sliding_window"] = *config.attention.window;
  return json;
}

}  // namespace

CheckpointSummary summarize(const Checkpoint& checkpoint, const ModelWeights& weights) {
  CheckpointSummary summary;
  std::filesystem::path directory = std::filesystem::absolute(checkpoint.path()).lexically_normal();
  summary.path = checkpoint.path().string();
  if (!directory.has_filename()) directory = directory.parent_path();  // "a/b/" -> "a/b"
  summary.name = directory.filename().string();
  summary.config = checkpoint.config();
  summary.parameters = count_parameters(checkpoint.config());
  summary.bytes = checkpoint.bytes();
  summary.tensors = checkpoint.tensors().size();
  for (const SourceFile& shard : checkpoint.shards()) summary.shards.push_back({shard.name(), shard.size()});
  summary.format = format_name(checkpoint.format());
  for (const auto& [name, tensor] : checkpoint.tensors()) {
    DTypeSummary& dtype = summary.dtypes[std::string(dtype_name(tensor.info.dtype))];
    dtype.tensors += 1;
    dtype.bytes += tensor.info.bytes;
  }
  for (RoleGroup group : all_role_groups) {
    RoleSummary role = summarize_group(weights, group);
    if (role.weights > 0) summary.roles.push_back(std::move(role));
  }
  summary.tokenizer = checkpoint.tokenizer_path().string();
  summary.fingerprint = checkpoint.fingerprint();
  summary.notes = checkpoint.notes();
  summary.notes.insert(summary.notes.end(), weights.notes().begin(), weights.notes().end());
  return summary;
}

std::string text_of(const CheckpointSummary& summary) {
  const ModelConfig& config = summary.config;
  Table facts({{""}, {""}});
  const std::string architecture = config.architecture.empty() ? "" : " (" + config.architecture + ")";
  facts.add({"model", config.model_type + architecture});
  facts.add({"layers", layers_in_words(config)});
  facts.add({"experts", experts_in_words(config)});
  facts.add({"router", routing_words(config)});
  facts.add({"attention", attention_in_words(config)});
  facts.add({"hidden size", std::to_string(config.hidden_size)});
  facts.add(
      {"vocabulary", std::to_string(config.vocab_size) + (config.tie_word_embeddings ? ", head tied" : "")});
  facts.add({"context", std::to_string(config.max_position_embeddings)});
  facts.add({"parameters", format_count(static_cast<double>(summary.parameters.total)) + ", of which " +
                               format_count(static_cast<double>(summary.parameters.active)) +
                               " active per token"});
  facts.add({"size", size_in_words(summary)});
  facts.add({"stored as", dtypes_in_words(summary)});
  facts.add({"tokenizer", summary.tokenizer.empty() ? "none" : "tokenizer.json"});
  facts.add({"fingerprint", summary.fingerprint.substr(0, 16)});
  std::string text = bold(summary.name) + ": a complete checkpoint\n" + facts.text() + "\n" +
                     role_table(summary) + "\n" + keys_text(config.keys);
  for (const std::string& note : summary.notes) text += "\nnote: " + note;
  return summary.notes.empty() ? text : text + "\n";
}

nlohmann::ordered_json json_of(const CheckpointSummary& summary) {
  nlohmann::ordered_json json = {{"kind", "checkpoint"},
                                 {"name", summary.name},
                                 {"path", summary.path},
                                 {"model_type", summary.config.model_type},
                                 {"architecture", summary.config.architecture},
                                 {"parameters", summary.parameters.total},
                                 {"active_parameters", summary.parameters.active},
                                 {"format", summary.format},
                                 {"bytes", summary.bytes},
                                 {"tensors", summary.tensors},
                                 {"config", config_json(summary.config)},
                                 {"config_keys", keys_json(summary.config.keys)}};
  for (const auto& shard : summary.shards)
    json["shards"].push_back({{"file", shard.file}, {"bytes", shard.bytes}});
  for (const auto& [name, part] : summary.dtypes) {
    json["dtypes"][name] = {{"tensors", part.tensors}, {"bytes", part.bytes}};
  }
  for (const RoleSummary& role : summary.roles) {
    json["roles"].push_back({{"role", role_group_name(role.group)},
                             {"weights", role.weights},
                             {"parameters", role.parameters},
                             {"bytes", role.bytes},
                             {"dtypes", role.dtypes}});
  }
  json["tokenizer"] =
      summary.tokenizer.empty() ? nlohmann::ordered_json() : nlohmann::ordered_json(summary.tokenizer);
  json["fingerprint"] = summary.fingerprint;
  json["notes"] = summary.notes;
  return json;
}

}  // namespace moescope
