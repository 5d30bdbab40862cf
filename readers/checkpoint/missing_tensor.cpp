#include "readers/checkpoint/missing_tensor.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "readers/model/weight_table.h"
#include "readers/text/quoted_text.h"
#include "readers/text/strict_json.h"

namespace moescope {
namespace {

using Parts = std::vector<std::string_view>;

Parts split(std::string_view name) {
  Parts parts;
  for (std::size_t begin = 0; begin <= name.size();) {
    const std::size_t end = std::min(name.find('.', begin), name.size());
    parts.push_back(name.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

// Names of a model's tensors begin with it, but for the head's.
constexpr std::string_view usual_prefix = "model.";

std::string_view without_prefix(std::string_view name) {
  return name.starts_with(usual_prefix) ? name.substr(usual_prefix.size()) : name;
}

// Whether all parts of `wanted` stand in `stored` in this order, the last one last.
bool contains_in_order(const Parts& stored, const Parts& wanted) {
  auto next = wanted.begin();
  for (std::string_view part : stored) next += next != wanted.end() && part == *next;
  return next == wanted.end() && stored.back() == wanted.back();
}

// The stored tensor without a place in the model whose name has all parts of the one that is needed and
// fewest others.
std::optional<std::string> find_other_name(const Checkpoint& checkpoint, const std::string& name) {
  const Parts wanted = split(without_prefix(name));
  const auto known = weight_keys(checkpoint.config());
  std::optional<std::string> best;
  std::size_t fewest = 0;
  for (const auto& [stored, tensor] : checkpoint.tensors()) {
    const Parts parts = split(stored);
    if (known.contains(stored) || !contains_in_order(parts, wanted)) continue;
    if (best && parts.size() >= fewest) continue;
    best = stored;
    fewest = parts.size();
  }
  return best;
}

std::string in_words(const std::string& stored, std::string_view name) {
  const std::string text = "it is stored as " + single_quoted(stored);
  const std::string_view bare = without_prefix(name);
  if (!stored.ends_with(bare)) return text;
  const std::string prefix = stored.substr(0, stored.size() - bare.size());
  if (prefix.empty()) return text + ", without the prefix 'model.'";
  return text + ", with the prefix " + single_quoted(prefix) + (bare == name ? "" : " in place of 'model.'");
}

std::string rename_hint(std::string_view stored) {
  if (stored.find("_orig_mod.") != std::string_view::npos)
    return "torch.compile adds _orig_mod: save model._orig_mod.state_dict(), or rename the tensors";
  if (stored.starts_with("module."))
    return "a parallel wrapper adds module: save model.module.state_dict(), or rename the tensors";
  return "rename the tensors: moescope reads the names that the model of config.json has";
}

/// The tensor that __metadata__ of a shard gives for one that was not stored because it is the same.
std::optional<std::string> find_alias(const Checkpoint& checkpoint, const std::string& name) {
  for (const SourceFile& shard : checkpoint.shards()) {
    const ShardHeader header = read_shard_header(shard);
    const auto alias = header.metadata.find(name);
    if (alias != header.metadata.end() && checkpoint.find(alias->second) != nullptr) return alias->second;
  }
  return std::nullopt;
}

bool is_head(const Checkpoint& checkpoint, const std::string& name) {
  return std::ranges::any_of(family_of(checkpoint.config()).weights, [&](const WeightRule& rule) {
    return rule.role == Role::head && rule.name == name;
  });
}

/// "blk.0.ffn_up_exps.weight" was "blk.0.ffn_up.0.weight" and so on.
MissingTensor explain_missing_in_gguf(const Checkpoint& checkpoint, const std::string& name) {
  constexpr std::string_view stacked = "_exps.weight";
  if (!name.ends_with(stacked)) return {};
  const std::string first = name.substr(0, name.size() - stacked.size()) + ".0.weight";
  if (checkpoint.find(first) == nullptr) return {};
  return {"its experts are stored one by one, as " + single_quoted(first) + " and so on",
          "llama.cpp wrote such files before April 2024; a newer one converts the model anew"};
}

}  // namespace

MissingTensor explain_missing(const Checkpoint& checkpoint, const std::string& name) {
  if (checkpoint.format() == ShardFormat::gguf) return explain_missing_in_gguf(checkpoint, name);
  if (const auto alias = find_alias(checkpoint, name)) {
    return {"__metadata__ calls it the same as " + single_quoted(*alias) + ", under which it is stored",
            is_head(checkpoint, name)
                ? "if the head is the embedding, config.json must say 'tie_word_embeddings': true"
                : "save it under its own name, as save_pretrained() of transformers does"};
  }
  if (const auto other = find_other_name(checkpoint, name))
    return {in_words(*other, name), rename_hint(*other)};
  if (is_head(checkpoint, name)) {
    return {"config.json: 'tie_word_embeddings' is false, so that a head of its own is needed",
            "if the head is the embedding, config.json must say 'tie_word_embeddings': true"};
  }
  return {};
}

}  // namespace moescope
