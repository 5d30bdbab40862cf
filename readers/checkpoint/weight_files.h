#pragma once
/// Which files of a directory hold a model's weights, and what else lies there that may be taken for them:
/// named in messages and notes. Only names are looked at. Whoever lists a directory throws std::system_error
/// where that fails; what lies deeper and cannot be examined is passed over.

#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "readers/storage/shard_header.h"
#include "readers/storage/shard_index.h"

namespace moescope {

inline constexpr const char* config_name = "config.json";

/// The file that tells a checkpoint's configuration: config.json, or where that is missing args.json if it
/// has the arguments of a Megatron-LM run. config.json where there is neither. What cannot be read counts as
/// not there.
std::filesystem::path config_path(const std::filesystem::path& directory);
/// Whether it is there.
bool has_config(const std::filesystem::path& directory);

/// What transformers calls the files of a format; of GGUF it has none.
struct WeightNames {
  const char* index;
  const char* single;  // the whole model
};
/// {"model.safetensors.index.json", "model.safetensors"}, {"pytorch_model.bin.index.json",
/// "pytorch_model.bin"}.
const WeightNames& weight_names(ShardFormat format);

/// Names in one directory, ascending; hidden ones, and of files what a trainer saves beside weights, are left
/// out. It is listed once: all else here follows from this.
struct WeightFiles {
  std::filesystem::path directory;
  std::vector<std::string> names;        // of all that lies there
  std::vector<std::string> safetensors;  // adapters excepted
  std::vector<std::string> torch_bins;   // pytorch_model.bin, pytorch_model-00001-of-00002.bin ...
  std::vector<std::string> ggufs;        // without those of image encoders and importance matrices
  std::vector<std::string> others;       // in formats that are not read (.pt, .onnx ...), and adapters
  std::vector<std::string> unfinished;   // downloads (.incomplete, .part ...)

  const std::vector<std::string>& of(ShardFormat format) const {
    if (format == ShardFormat::gguf) return ggufs;
    return format == ShardFormat::torch_bin ? torch_bins : safetensors;
  }
};
WeightFiles find_weight_files(const std::filesystem::path& directory);

/// Which of its files a checkpoint consists of: safetensors where it has any, or an index of them, as in
/// transformers; else PyTorch's; else GGUF's.
ShardFormat chosen_format(const WeightFiles& files);

/// The index of a checkpoint that has one.
struct IndexFile {
  std::string file;  // its path, for messages
  std::string name;  // within its directory
  std::string text;  // as read
  ShardIndex index;
};
/// That of the chosen format. Throws FormatError.
std::optional<IndexFile> read_index(const WeightFiles& files);

/// The shards that should be there, ascending: those that the index names; without one, model.safetensors
/// alone, or all .safetensors files with those that "-00001-of-00004" says there are; in PyTorch's format
/// likewise. Of GGUF files those of one model. Throws FormatError when there are none, in words that tell
/// what is there instead, and where GGUF files are of several models.
std::vector<std::string> expected_shards(const WeightFiles& files, const std::optional<IndexFile>& index);

/// Throws FormatError unless all shards are there, finished: names what is missing, and what lies there
/// instead.
void require_shards(const WeightFiles& files, const std::optional<IndexFile>& index,
                    const std::vector<std::string>& shards);

/// Whether a path is that of a checkpoint, complete or not: a directory with a config.json, or with GGUF
/// files alone, or a GGUF file.
bool is_checkpoint_place(const std::filesystem::path& path);

/// The GGUF files of one model, ascending: the file itself, or all parts where it is called as one of
/// several.
std::vector<std::string> gguf_shards(const std::string& name);
/// The name of a GGUF file without what tells the part and the format: "OLMoE-Q8_0".
std::string gguf_model_name(const std::string& name);

/// The file that tells a checkpoint's configuration, for messages.
std::string config_source(const std::filesystem::path& checkpoint);

/// Why a directory is no checkpoint; `what` follows its name: "is a LoRA adapter of llama, not a checkpoint".
struct NoCheckpoint {
  std::string what;
  std::string hint = {};      // may be empty
  bool is_unrelated = false;  // nothing of a model is there
};
/// For a directory without a config.json.
NoCheckpoint why_no_checkpoint(const std::filesystem::path& directory);

/// What lies in a checkpoint's directory and is not read though it holds weights: one note a kind.
std::vector<std::string> notes_on_unread(const WeightFiles& files, const std::optional<IndexFile>& index,
                                         const std::vector<std::string>& shards);

/// What lies in a directory of checkpoints and is none: one note for each directory in it, or kind of file.
std::vector<std::string> notes_on_left_out(const std::filesystem::path& directory);

}  // namespace moescope
