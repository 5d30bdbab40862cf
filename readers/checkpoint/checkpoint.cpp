#include "readers/checkpoint/checkpoint.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>

#include "readers/checkpoint/weight_files.h"
#include "readers/errors.h"
#include "readers/files/directory.h"
#include "readers/files/sha256.h"
#include "readers/model/gguf_config.h"
#include "readers/model/weight_table.h"
#include "readers/text/quoted_text.h"
#include "readers/text/strict_json.h"

namespace moescope {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t largest_config = std::uint64_t{1} << 24;

/// `file`: where it is, or should be.
std::string read_config_text(const fs::path& directory, const fs::path& file) {
  if (!path_exists(file)) {
    const NoCheckpoint why = why_no_checkpoint(directory);
    throw FormatError(directory.string(), {}, why.what, why.hint);
  }
  return read_whole_file(file, largest_config);
}

// Its length before each part, so that no two different lists of parts hash alike.
void hash_part(Sha256& hash, std::string_view part) {
  hash.update(std::to_string(part.size()) + ":");
  hash.update(part);
}

/// Two checkpoints of one series have the same headers; a few bytes of each tensor tell them apart.
constexpr std::uint64_t whole_bytes = 64 << 10;  // tensors up to this size are read whole
constexpr std::uint64_t piece_bytes = 16 << 20;  // of larger ones ...
constexpr std::uint64_t sample_bytes = 256;      // ... so much in the middle of every piece

/// Calls `sample(offset, bytes)` for every part of the tensor that belongs to the fingerprint.
template <class Sample>
void for_each_sample(const TensorInfo& tensor, const Sample& sample) {
  if (tensor.bytes <= whole_bytes) return sample(tensor.offset, tensor.bytes);
  for (std::uint64_t begin = 0; begin < tensor.bytes; begin += piece_bytes) {
    const std::uint64_t piece = std::min(piece_bytes, tensor.bytes - begin),
                        bytes = std::min(sample_bytes, piece);
    sample(tensor.offset + begin + (piece - bytes) / 2, bytes);
  }
}

// The name of the tensor that a role outside the layers has; empty if the family has none.
std::string name_of(const ModelConfig& config, Role role) {
  for (const WeightRule& rule : family_of(config).weights) {
    if (rule.role == role) return std::string(rule.name);
  }
  return {};
}

bool have_equal_bytes(const SourceFile& shard_a, const TensorInfo& a, const SourceFile& shard_b,
                      const TensorInfo& b) {
  if (a.dtype != b.dtype || a.shape != b.shape) return false;
  if (&shard_a == &shard_b && a.offset == b.offset) return true;
  constexpr std::uint64_t block = 1 << 20;
  std::vector<std::byte> bytes_a(block), bytes_b(block);
  for (std::uint64_t done = 0; done < a.bytes; done += block) {
    const std::uint64_t size = std::min(block, a.bytes - done);
    shard_a.read(a.offset + done, std::span(bytes_a).first(size));
    shard_b.read(b.offset + done, std::span(bytes_b).first(size));
    if (std::memcmp(bytes_a.data(), bytes_b.data(), size) != 0) return false;
  }
  return true;
}

// Bytes that several tensors share count once.
std::uint64_t stored_bytes(const std::map<std::string, StoredTensor, std::less<>>& tensors) {
  struct Place {
    std::size_t shard;
    std::uint64_t begin, end;
    auto operator<=>(const Place&) const = default;
  };
  std::vector<Place> places;
  places.reserve(tensors.size());
  for (const auto& [name, stored] : tensors)
    places.push_back({stored.shard, stored.info.offset, stored.info.offset + stored.info.bytes});
  std::ranges::sort(places);
  std::uint64_t bytes = 0;
  Place last{0, 0, 0};
  for (const Place& place : places) {
    const std::uint64_t begin = place.shard == last.shard ? std::max(place.begin, last.end) : place.begin;
    if (place.end <= begin) continue;
    bytes += place.end - begin;
    last = place;
  }
  return bytes;
}

}  // namespace

/// Collects the tensors shard by shard.
struct Checkpoint::Assembly {
  Checkpoint& checkpoint;
  const std::optional<IndexFile>& index;
  std::size_t parts;  // shards that there are
  Sha256 hash = {};
  std::vector<std::string> shard_names = {};  // of checkpoint.shards_
  std::size_t superseded = 0;                 // copies of tensors that the index does not name
  std::string first_superseded = {};          // "'lm_head.weight' in model-00002-of-00002.safetensors"

  void add_shard(const std::string& name);
  void require_part(const GgufMetadata& metadata, const SourceFile& shard) const;
  void configure(std::span<const Family> families);
  void add_tensors(std::vector<TensorInfo> tensors);
  StoredTensor chosen(const StoredTensor& known, StoredTensor other);
  void check_index();
  void require_in_shard(const std::string& tensor, const std::string& shard,
                        const StoredTensor* stored) const;
  std::string sharding_hint() const;
  void note_unlisted(std::size_t count, const std::string& first);
  void hash_tensors();
  void resolve_head();
};

void Checkpoint::Assembly::add_shard(const std::string& name) {
  const bool is_file = checkpoint.path_ != checkpoint.directory_;  // named as it was given
  const SourceFile& shard = checkpoint.shards_.emplace_back(
      (is_file ? checkpoint.path_.parent_path() : checkpoint.directory_) / name);
  shard_names.push_back(name);
  ShardHeader header = read_shard_header(shard);
  hash_part(hash, name);
  hash_part(hash, std::to_string(shard.size()));
  hash_part(hash, header.text);
  add_tensors(std::move(header.tensors));
  if (checkpoint.format_ != ShardFormat::gguf) return;
  require_part(header.gguf, shard);
  if (shard_names.size() == 1) checkpoint.gguf_metadata_ = std::move(header.gguf);
}

/// Of a split model, each file tells which of its parts it is.
void Checkpoint::Assembly::require_part(const GgufMetadata& metadata, const SourceFile& shard) const {
  const auto told = [&](const char* key, std::uint64_t absent) {
    const auto found = metadata.find(key);
    const auto* value = found == metadata.end() ? nullptr : std::get_if<std::uint64_t>(&found->second);
    return value == nullptr ? absent : *value;
  };
  const std::uint64_t part = told("split.no", shard_names.size() - 1),
                      count = std::max<std::uint64_t>(1, told("split.count", parts));
  if (part == shard_names.size() - 1 && count == parts) return;
  throw FormatError(shard.name(), {},
                    "tells that it is part " + std::to_string(part + 1) + " of " + std::to_string(count) +
                        " of a model (expected part " + std::to_string(shard_names.size()) + " of " +
                        std::to_string(parts) + ", by its name)",
                    "llama.cpp calls the parts of a model NAME-00001-of-00003.gguf");
}

/// After the shards: their metadata tell the configuration.
void Checkpoint::Assembly::configure(std::span<const Family> families) {
  const std::string& file = checkpoint.shards_.front().name();
  const FindTensor find = [&](std::string_view name) {
    const StoredTensor* stored = checkpoint.find(name);
    return stored == nullptr ? nullptr : &stored->info;
  };
  const ReadTensor read = [&](const TensorInfo& info) {
    std::vector<float> values(info.bytes / sizeof(float));
    checkpoint.shards_[checkpoint.find(info.name)->shard].read(info.offset,
                                                               std::as_writable_bytes(std::span(values)));
    return values;
  };
  checkpoint.config_json_ = gguf_config_json(checkpoint.gguf_metadata_, find, read, file, families);
  checkpoint.config_ = parse_model_config(checkpoint.config_json_, file, families);
  checkpoint.config_json_ = asked_for(checkpoint.config_json_, checkpoint.config_);
  require_as_told(checkpoint.gguf_metadata_, checkpoint.config_, file);
  checkpoint.notes_ = notes_on_untold(checkpoint.gguf_metadata_, checkpoint.config_, file);
}

// Shards are written in the order of names, so that a tensor's place is most often right behind the last
// one's.
void Checkpoint::Assembly::add_tensors(std::vector<TensorInfo> tensors) {
  const std::size_t shard = shard_names.size() - 1;
  auto place = checkpoint.tensors_.end();
  for (TensorInfo& info : tensors) {
    const std::size_t known = checkpoint.tensors_.size();
    const auto added = checkpoint.tensors_.try_emplace(place, info.name);
    const bool is_new = checkpoint.tensors_.size() > known;
    StoredTensor stored{std::move(info), shard};
    added->second = is_new ? std::move(stored) : chosen(added->second, std::move(stored));
    place = std::next(added);
  }
}

/// Of two copies of a tensor, the one that the index names. Throws FormatError where none decides.
StoredTensor Checkpoint::Assembly::chosen(const StoredTensor& known, StoredTensor other) {
  const std::string& name = other.info.name;
  const auto* entry = index ? index->index.find(name) : nullptr;
  if (entry == nullptr) {
    throw FormatError(checkpoint.shards_[known.shard].name(), tensor_thing(name),
                      "is also stored in " + single_quoted(shard_names[other.shard]) +
                          (index ? ", and the index does not name it" : ""));
  }
  const bool takes_other = *entry == shard_names[other.shard];
  if (superseded++ == 0)
    first_superseded = single_quoted(name) + " in " + shard_names[takes_other ? known.shard : other.shard];
  return takes_other ? std::move(other) : known;
}

void Checkpoint::Assembly::require_in_shard(const std::string& tensor, const std::string& shard,
                                            const StoredTensor* stored) const {
  if (stored != nullptr && shard_names[stored->shard] == shard) return;
  const std::string found = stored == nullptr ? "nowhere" : "in " + single_quoted(shard_names[stored->shard]);
  throw FormatError(
      index->file, tensor_thing(tensor),
      "is not in its shard (expected it in " + single_quoted(shard) + ", found it " + found + ")",
      sharding_hint());
}

// How many tensors lie elsewhere than the index says: an index of another sharding misplaces many.
std::string Checkpoint::Assembly::sharding_hint() const {
  std::size_t misplaced = 0;
  for (const auto& [tensor, shard] : index->index.shard_of) {
    const StoredTensor* stored = checkpoint.find(tensor);
    misplaced += stored == nullptr || shard_names[stored->shard] != shard;
  }
  if (misplaced < 2) return {};
  return "of the " + std::to_string(index->index.shard_of.size()) + " tensors that the index names, " +
         std::to_string(misplaced) + " are not where it says: it may belong to another set of shards";
}

void Checkpoint::Assembly::note_unlisted(std::size_t count, const std::string& first) {
  checkpoint.notes_.push_back(index->name + ": does not list " + std::to_string(count) +
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
  if (superseded > 0) {
    checkpoint.notes_.push_back(
        std::to_string(superseded) + " stored " + (superseded == 1 ? "copy" : "copies") +
        " of tensors superseded, for the index names other shards: first " + first_superseded);
  }
  const std::optional<double> total = index->index.total_size;
  if (total && *total != static_cast<double>(checkpoint.bytes_)) {
    checkpoint.notes_.push_back(
        index->name + ": 'metadata.total_size': differs from the tensors' bytes (expected " +
        std::to_string(checkpoint.bytes_) + ", found " + nlohmann::json(*total).dump() + ")");
  }
}

// All reads are announced before the first: from a cold disk they come many at a time.
void Checkpoint::Assembly::hash_tensors() {
  for (const auto& [name, stored] : checkpoint.tensors_) {
    const SourceFile& shard = checkpoint.shards_[stored.shard];
    for_each_sample(stored.info,
                    [&](std::uint64_t offset, std::uint64_t bytes) { shard.prefetch(offset, bytes); });
  }
  std::vector<std::byte> buffer(whole_bytes);
  for (const auto& [name, stored] : checkpoint.tensors_) {
    const SourceFile& shard = checkpoint.shards_[stored.shard];
    for_each_sample(stored.info, [&](std::uint64_t offset, std::uint64_t bytes) {
      const std::span<std::byte> sample(buffer.data(), bytes);
      shard.read(offset, sample);
      hash.update(sample);
    });
  }
}

/// A stored head counts though the configuration says that the embedding is the head, unless it is the same.
void Checkpoint::Assembly::resolve_head() {
  if (!checkpoint.config_.tie_word_embeddings) return;
  const std::string head_name = name_of(checkpoint.config_, Role::head),
                    embedding_name = name_of(checkpoint.config_, Role::embedding);
  const StoredTensor *head = checkpoint.find(head_name), *embedding = checkpoint.find(embedding_name);
  if (head == nullptr || embedding == nullptr) return;
  const auto& shards = checkpoint.shards_;
  if (have_equal_bytes(shards[head->shard], head->info, shards[embedding->shard], embedding->info)) return;
  checkpoint.config_.tie_word_embeddings = false;
  checkpoint.notes_.push_back(std::string(config_name) + ": 'tie_word_embeddings' is true, but the stored " +
                              single_quoted(head_name) + " differs from " + single_quoted(embedding_name) +
                              ": the stored one is used");
}

Checkpoint Checkpoint::open(const std::filesystem::path& path) {
  return open(path, known_families());
}

Checkpoint Checkpoint::open(const std::filesystem::path& path, std::span<const Family> families) {
  if (!path_exists(path)) throw MissingInput(path.string());
  const bool is_directory = is_directory_path(path);
  if (!is_directory && shard_format(path) != ShardFormat::gguf)
    throw FormatError(path.string(), {}, "is not a checkpoint directory");
  Checkpoint checkpoint;
  checkpoint.path_ = path;
  checkpoint.directory_ = is_directory ? path : path.has_parent_path() ? path.parent_path() : fs::path(".");
  const WeightFiles files = find_weight_files(checkpoint.directory_);
  checkpoint.format_ = is_directory ? chosen_format(files) : ShardFormat::gguf;
  if (checkpoint.format_ != ShardFormat::gguf) {
    const fs::path config = config_path(path);
    checkpoint.config_json_ = read_config_text(path, config);
    checkpoint.config_ = parse_model_config(checkpoint.config_json_, config.string(), families);
  }
  const std::optional<IndexFile> index = is_directory ? read_index(files) : std::nullopt;
  const std::vector<std::string> shards =
      is_directory ? expected_shards(files, index) : gguf_shards(path.filename().string());
  require_shards(files, index, shards);
  Assembly assembly{checkpoint, index, shards.size()};
  hash_part(assembly.hash, checkpoint.config_json_);
  hash_part(assembly.hash, index ? index->text : "");
  for (const std::string& name : shards) assembly.add_shard(name);
  checkpoint.bytes_ = stored_bytes(checkpoint.tensors_);
  if (checkpoint.format_ == ShardFormat::gguf) assembly.configure(families);
  if (index) assembly.check_index();
  assembly.hash_tensors();
  assembly.resolve_head();
  checkpoint.fingerprint_ = assembly.hash.hex();
  if (std::string note = note_on_unknown_keys(checkpoint.config_.keys); !note.empty())
    checkpoint.notes_.push_back(std::move(note));
  if (!is_directory) return checkpoint;
  for (std::string& note : notes_on_unread(files, index, shards))
    checkpoint.notes_.push_back(std::move(note));
  return checkpoint;
}

const StoredTensor* Checkpoint::find(std::string_view name) const {
  const auto found = tensors_.find(name);
  return found == tensors_.end() ? nullptr : &found->second;
}

void Checkpoint::require_unchanged() const {
  for (const SourceFile& shard : shards_) shard.require_unchanged();
}

std::string Checkpoint::file_stamps() const {
  std::string lines;
  for (const SourceFile& shard : shards_) {
    for (const std::uint64_t number :
         {shard.size(), static_cast<std::uint64_t>(shard.modified()), shard.inode()})
      lines += std::to_string(number) + " ";
    lines += single_quoted(fs::path(shard.name()).filename().string()) + "\n";  // text, whatever the name is
  }
  return lines;
}

std::filesystem::path Checkpoint::tokenizer_path() const {
  const fs::path path = directory_ / "tokenizer.json";
  return path_exists(path) ? path : fs::path();
}

}  // namespace moescope
