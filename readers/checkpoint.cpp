#include "readers/checkpoint.h"

#include <algorithm>

#include <optional>
#include <utility>

#include "readers/directory.h"
#include "readers/errors.h"
#include "readers/sha256.h"
#include "readers/shard_index.h"
#include "readers/strict_json.h"

namespace moescope {
namespace {

namespace fs = std::filesystem;

constexpr const char* config_name = "config.json";
constexpr const char* index_name = "model.safetensors.index.json";
constexpr const char* single_name = "model.safetensors";
constexpr std::uint64_t largest_config = std::uint64_t{1} << 24;

/// The index of a checkpoint that has one.
struct IndexFile {
  std::string file;  // its path, for messages
  std::string text;  // as read
  ShardIndex index;
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

std::optional<IndexFile> read_index(const fs::path& directory) {
  const fs::path path = directory / index_name;
  if (!path_exists(path)) return std::nullopt;
  IndexFile result{path.string(), read_whole_file(path), {}};
  result.index = parse_shard_index(result.text, result.file);
  return result;
}

std::vector<std::string> safetensors_in(const fs::path& directory) {
  std::vector<std::string> names = directory_names(directory);
  std::erase_if(names, [](const std::string& name) { return fs::path(name).extension() != ".safetensors"; });
  return names;
}

// In ascending order. Without an index, model.safetensors alone is the model; else every shard belongs to it.
std::vector<std::string> shard_names(const fs::path& directory, const std::optional<IndexFile>& index) {
  if (index) return index->index.shards();
  if (path_exists(directory / single_name)) return {single_name};
  const std::vector<std::string> names = safetensors_in(directory);
  if (names.empty()) throw FormatError(directory.string(), {}, "holds no *.safetensors file");
  return names;
}

void require_shard(const fs::path& path, const std::optional<IndexFile>& index) {
  if (path_exists(path)) return;
  const bool dangling = fs::is_symlink(fs::symlink_status(path));
  throw FormatError(index ? index->file : path.parent_path().string(),
                    "shard " + single_quoted(path.filename().string()),
                    dangling ? "is a symbolic link to a file that does not exist" : "is missing");
}

// Its length before each part, so that no two different lists of parts hash alike.
void hash_part(Sha256& hash, std::string_view part) {
  hash.update(std::to_string(part.size()) + ":");
  hash.update(part);
}

// Two checkpoints of one series have the same headers; a few of their bytes tell them apart.
void hash_samples(Sha256& hash, const SourceFile& shard, std::uint64_t begin) {
  constexpr std::uint64_t sample_bytes = 4096;
  const std::uint64_t buffer = shard.size() - begin, size = std::min(sample_bytes, buffer);
  std::vector<std::byte> sample(size);
  for (std::uint64_t offset : {std::uint64_t{0}, (buffer - size) / 2, buffer - size}) {
    shard.read(begin + offset, sample);
    hash.update(sample);
  }
}

}  // namespace

/// Collects the tensors shard by shard.
struct Checkpoint::Assembly {
  Checkpoint& checkpoint;
  const std::optional<IndexFile>& index;
  Sha256 hash = {};
  std::vector<std::string> shard_names = {};  // of checkpoint.shards_

  void add_shard(const std::string& name);
  void add_tensors(std::vector<TensorInfo> tensors);
  void check_index();
  void require_in_shard(const std::string& tensor, const std::string& shard,
                        const StoredTensor* stored) const;
  void note_unlisted(std::size_t count, const std::string& first);
};

void Checkpoint::Assembly::add_shard(const std::string& name) {
  const fs::path path = checkpoint.directory_ / name;
  require_shard(path, index);
  const SourceFile& shard = checkpoint.shards_.emplace_back(path);
  shard_names.push_back(name);
  const std::string text = read_safetensors_header_text(shard);
  SafetensorsHeader header = parse_safetensors_header(text, shard.size() - 8 - text.size(), shard.name());
  hash_part(hash, name);
  hash_part(hash, std::to_string(shard.size()));
  hash_part(hash, text);
  hash_samples(hash, shard, header.header_bytes);
  add_tensors(std::move(header.tensors));
}

// Shards are written in the order of names, so that a tensor's place is most often right behind the last
// one's.
void Checkpoint::Assembly::add_tensors(std::vector<TensorInfo> tensors) {
  const std::size_t shard = shard_names.size() - 1;
  auto place = checkpoint.tensors_.end();
  for (TensorInfo& info : tensors) {
    checkpoint.bytes_ += info.bytes;
    const std::size_t known = checkpoint.tensors_.size();
    const auto added = checkpoint.tensors_.try_emplace(place, info.name);
    if (checkpoint.tensors_.size() == known) {
      throw FormatError(checkpoint.shards_[added->second.shard].name(), "tensor " + single_quoted(info.name),
                        "is also stored in " + single_quoted(shard_names.back()));
    }
    added->second = {std::move(info), shard};
    place = std::next(added);
  }
}

void Checkpoint::Assembly::require_in_shard(const std::string& tensor, const std::string& shard,
                                            const StoredTensor* stored) const {
  if (stored != nullptr && shard_names[stored->shard] == shard) return;
  const std::string found = stored == nullptr ? "nowhere" : "in " + single_quoted(shard_names[stored->shard]);
  throw FormatError(
      index->file, "tensor " + single_quoted(tensor),
      "is not in its shard (expected it in " + single_quoted(shard) + ", found it " + found + ")");
}

void Checkpoint::Assembly::note_unlisted(std::size_t count, const std::string& first) {
  checkpoint.notes_.push_back(index->file + ": does not list " + std::to_string(count) +
                              " of the stored tensors, first " + single_quoted(first));
}

// Both are in the order of names: one walk through them sees what either lacks.
void Checkpoint::Assembly::check_index() {
  auto stored = checkpoint.tensors_.begin();
  const auto end = checkpoint.tensors_.end();
  std::vector<std::string> unlisted;
  const auto skip_unlisted = [&](const std::string* next) {
    for (; stored != end && (next == nullptr || stored->first < *next); ++stored)
      unlisted.push_back(stored->first);
  };
  for (const auto& [tensor, shard] : index->index.shard_of) {
    skip_unlisted(&tensor);
    const bool found = stored != end && stored->first == tensor;
    require_in_shard(tensor, shard, found ? &stored->second : nullptr);
    ++stored;
  }
  skip_unlisted(nullptr);
  if (!unlisted.empty()) note_unlisted(unlisted.size(), unlisted.front());

  const std::optional<double> total = index->index.total_size;
  if (total && *total != static_cast<double>(checkpoint.bytes_)) {
    checkpoint.notes_.push_back(
        index->file + ": 'metadata.total_size': differs from the tensors' bytes (expected " +
        std::to_string(checkpoint.bytes_) + ", found " + nlohmann::json(*total).dump() + ")");
  }
}

Checkpoint Checkpoint::open(const std::filesystem::path& directory) {
  require_directory(directory);
  Checkpoint checkpoint;
  checkpoint.directory_ = directory;
  checkpoint.config_json_ = read_config_text(directory);
  checkpoint.config_ = parse_model_config(checkpoint.config_json_, (directory / config_name).string());

  const std::optional<IndexFile> index = read_index(directory);
  Assembly assembly{checkpoint, index};
  hash_part(assembly.hash, checkpoint.config_json_);
  hash_part(assembly.hash, index ? index->text : "");
  for (const std::string& name : shard_names(directory, index)) assembly.add_shard(name);
  if (index) assembly.check_index();
  checkpoint.fingerprint_ = assembly.hash.hex();
  return checkpoint;
}

const StoredTensor* Checkpoint::find(std::string_view name) const {
  const auto found = tensors_.find(name);
  return found == tensors_.end() ? nullptr : &found->second;
}

void Checkpoint::require_unchanged() const {
  for (const SourceFile& shard : shards_) shard.require_unchanged();
}

std::filesystem::path Checkpoint::tokenizer_path() const {
  const fs::path path = directory_ / "tokenizer.json";
  return path_exists(path) ? path : fs::path();
}

}  // namespace moescope
