#include "readers/checkpoint.h"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include "readers/directory.h"
#include "readers/errors.h"
#include "readers/sha256.h"
#include "readers/strict_json.h"

namespace moescope {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

constexpr const char* config_name = "config.json";
constexpr const char* index_name = "model.safetensors.index.json";
constexpr const char* single_name = "model.safetensors";
constexpr std::uint64_t largest_config = std::uint64_t{1} << 24;

/// model.safetensors.index.json: which shard holds which tensor.
struct ShardIndex {
  std::string file;                             // its path, for messages
  std::string text;                             // as read
  std::map<std::string, std::string> shard_of;  // by tensor
  std::optional<double> total_size;             // some writers store it as 1e9
};

void require_directory(const fs::path& directory) {
  if (!path_exists(directory)) throw FormatError(directory.string(), {}, "does not exist");
  if (!is_directory_path(directory))
    throw FormatError(directory.string(), {}, "is not a checkpoint directory");
}

std::string read_config_text(const fs::path& directory) {
  if (!path_exists(directory / config_name)) {
    throw FormatError(directory.string(), config_name, "is missing, so this is not a checkpoint");
  }
  return read_whole_file(directory / config_name, largest_config);
}

// The name itself stays inside the directory; the file may well be a symbolic link to elsewhere.
void require_plain_name(const std::string& name, const std::string& file) {
  const bool control = std::any_of(name.begin(), name.end(), [](unsigned char c) { return c < 0x20; });
  if (!name.empty() && !control && name.find_first_of("/\\") == std::string::npos &&
      name.find("..") == std::string::npos) {
    return;
  }
  throw FormatError(file, "shard " + single_quoted(name), "is not the plain name of a file beside the index");
}

ShardIndex parse_index(std::string text, const std::string& file) {
  const json document = parse_strict_json(text, file);
  const JsonObject object(document, file, {});
  ShardIndex index{file, std::move(text), {}, {}};
  const json& map = object.at("weight_map");
  if (!map.is_object()) object.fail("weight_map", "expected a JSON object, found " + excerpt(map));
  if (map.empty()) object.fail("weight_map", "names no tensor");
  for (const auto& [tensor, shard] : map.items()) {
    if (!shard.is_string()) object.fail("weight_map", "expected names of files, found " + excerpt(shard));
    require_plain_name(shard.get_ref<const std::string&>(), file);
    index.shard_of.emplace(tensor, shard.get<std::string>());
  }
  const json* metadata = object.find("metadata");
  if (metadata == nullptr || !metadata->is_object()) return index;
  const auto total = metadata->find("total_size");
  if (total != metadata->end() && total->is_number()) index.total_size = total->get<double>();
  return index;
}

std::optional<ShardIndex> read_index(const fs::path& directory) {
  const fs::path path = directory / index_name;
  if (!path_exists(path)) return std::nullopt;
  return parse_index(read_whole_file(path), path.string());
}

std::vector<std::string> safetensors_in(const fs::path& directory) {
  std::vector<std::string> names = directory_names(directory);
  std::erase_if(names, [](const std::string& name) { return fs::path(name).extension() != ".safetensors"; });
  return names;
}

// In ascending order. Without an index, model.safetensors alone is the model; else every shard belongs to it.
std::vector<std::string> shard_names(const fs::path& directory, const std::optional<ShardIndex>& index) {
  if (index) {
    std::set<std::string> names;
    for (const auto& [tensor, shard] : index->shard_of) names.insert(shard);
    return {names.begin(), names.end()};
  }
  if (path_exists(directory / single_name)) return {single_name};
  const std::vector<std::string> names = safetensors_in(directory);
  if (names.empty()) throw FormatError(directory.string(), {}, "holds no *.safetensors file");
  return names;
}

void require_shard(const fs::path& path, const std::optional<ShardIndex>& index) {
  if (path_exists(path)) return;
  const std::string thing = "shard " + single_quoted(path.filename().string());
  const bool dangling = fs::is_symlink(fs::symlink_status(path));
  throw FormatError(index ? index->file : path.parent_path().string(), thing,
                    dangling ? "is a symbolic link to a file that does not exist" : "is missing");
}

// Any length before its content, so that no two different lists of parts hash alike.
void hash_part(Sha256& hash, std::string_view part) {
  hash.update(std::to_string(part.size()) + ":");
  hash.update(part);
}

}  // namespace

/// Collects the tensors shard by shard.
struct Checkpoint::Assembly {
  Checkpoint& checkpoint;
  const std::optional<ShardIndex>& index;
  Sha256& hash;
  std::vector<std::string> unlisted = {};  // tensors that the index does not list

  void add_shard(const std::string& name);
  void add_tensor(TensorInfo info, const std::string& shard_name);
  void check_index();
  void note_total_size();
};

void Checkpoint::Assembly::add_shard(const std::string& name) {
  const fs::path path = checkpoint.directory_ / name;
  require_shard(path, index);
  const SourceFile& shard = checkpoint.shards_.emplace_back(path);
  const std::string text = read_safetensors_header_text(shard);
  const std::uint64_t buffer_bytes = shard.size() - 8 - text.size();
  SafetensorsHeader header = parse_safetensors_header(text, buffer_bytes, shard.name());
  hash_part(hash, name);
  hash_part(hash, std::to_string(shard.size()));
  hash_part(hash, text);
  for (TensorInfo& info : header.tensors) add_tensor(std::move(info), name);
}

void Checkpoint::Assembly::add_tensor(TensorInfo info, const std::string& shard_name) {
  checkpoint.bytes_ += info.bytes;
  if (index && !index->shard_of.contains(info.name)) unlisted.push_back(info.name);
  const std::size_t shard = checkpoint.shards_.size() - 1;
  const auto [known, added] = checkpoint.tensors_.try_emplace(info.name);
  if (!added) {
    throw FormatError(checkpoint.shards_[known->second.shard].name(), "tensor " + single_quoted(info.name),
                      "is also stored in " + single_quoted(shard_name));
  }
  known->second = {std::move(info), shard};
}

void Checkpoint::Assembly::check_index() {
  for (const auto& [tensor, shard] : index->shard_of) {
    const StoredTensor* stored = checkpoint.find(tensor);
    if (stored != nullptr && fs::path(checkpoint.shards_[stored->shard].name()).filename() == shard) continue;
    throw FormatError(
        index->file, "tensor " + single_quoted(tensor),
        "is not in its shard (expected it in " + single_quoted(shard) + ", found it " +
            (stored == nullptr
                 ? std::string("nowhere")
                 : "in " + single_quoted(
                               fs::path(checkpoint.shards_[stored->shard].name()).filename().string())) +
            ")");
  }
  if (unlisted.empty()) return;
  checkpoint.notes_.push_back(index->file + ": " + std::to_string(unlisted.size()) +
                              " stored tensors are not listed, first " + single_quoted(unlisted.front()));
}

void Checkpoint::Assembly::note_total_size() {
  if (!index->total_size || *index->total_size == static_cast<double>(checkpoint.bytes_)) return;
  checkpoint.notes_.push_back(
      index->file + ": 'metadata.total_size': differs from the tensors' bytes (expected " +
      std::to_string(checkpoint.bytes_) + ", found " + json(*index->total_size).dump() + ")");
}

Checkpoint Checkpoint::open(const std::filesystem::path& directory) {
  require_directory(directory);
  Checkpoint checkpoint;
  checkpoint.directory_ = directory;
  checkpoint.config_json_ = read_config_text(directory);
  checkpoint.config_ = parse_model_config(checkpoint.config_json_, (directory / config_name).string());

  const std::optional<ShardIndex> index = read_index(directory);
  Sha256 hash;
  hash_part(hash, checkpoint.config_json_);
  hash_part(hash, index ? index->text : "");
  Assembly assembly{checkpoint, index, hash};
  for (const std::string& name : shard_names(directory, index)) assembly.add_shard(name);
  if (index) {
    assembly.check_index();
    assembly.note_total_size();
  }
  checkpoint.fingerprint_ = hash.hex();
  return checkpoint;
}

const StoredTensor* Checkpoint::find(std::string_view name) const {
  const auto found = tensors_.find(name);
  return found == tensors_.end() ? nullptr : &found->second;
}

std::filesystem::path Checkpoint::tokenizer_path() const {
  const fs::path path = directory_ / "tokenizer.json";
  return path_exists(path) ? path : fs::path();
}

}  // namespace moescope
