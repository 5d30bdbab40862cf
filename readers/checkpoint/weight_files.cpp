#include "readers/checkpoint/weight_files.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <span>
#include <system_error>
#include <utility>

#include "readers/errors.h"
#include "readers/files/directory.h"
#include "readers/files/source_file.h"
#include "readers/text/name_list.h"
#include "readers/text/quoted_text.h"
#include "readers/text/strict_json.h"

namespace moescope {
namespace {

namespace fs = std::filesystem;
using Names = std::vector<std::string>;

// A checkpoint may have a hundred shards.
std::string short_list(std::span<const std::string> names) {
  constexpr std::size_t most = 6;
  return name_list(names, most);
}

constexpr const char* adapter_config_name = "adapter_config.json";
constexpr std::string_view safetensors_suffix = ".safetensors", torch_bin_suffix = ".bin",
                           gguf_suffix = ".gguf";

bool ends_with_any(std::string_view name, std::initializer_list<std::string_view> suffixes) {
  return std::ranges::any_of(suffixes, [&](std::string_view suffix) { return name.ends_with(suffix); });
}

// What cannot be examined counts as not there: it is a neighbour, not the input.
bool is_directory_quietly(const fs::path& path) {
  std::error_code ignored;
  return fs::is_directory(path, ignored);
}
bool exists_quietly(const fs::path& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}
Names names_quietly(const fs::path& directory) {
  try {
    return directory_names(directory);
  } catch (const std::system_error&) {
    return {};
  }
}

// The state of a trainer, and tables of a tokenizer: no weights of the model.
bool is_other_state(const std::string& name) {
  constexpr std::string_view words[] = {"optimizer",     "scheduler", "rng_state", "random_states",
                                        "training_args", "scaler",    "tokenizer", "vocab"};
  return std::ranges::any_of(words, [&](std::string_view word) { return name.starts_with(word); }) ||
         name.ends_with("optim_states.pt");
}

// Of what llama.cpp keeps beside a model: an image encoder, an importance matrix.
bool is_gguf_companion(std::string_view name) {
  return name.starts_with("mmproj") || name.starts_with("imatrix");
}

bool is_adapter(std::string_view name) {
  return name.starts_with("adapter_model");
}

bool is_unfinished(std::string_view name) {
  return ends_with_any(
      name, {".incomplete", ".part", ".partial", ".aria2", ".crdownload", ".download", ".tmp", ".!qB"});
}

bool is_other_format(std::string_view name) {
  return ends_with_any(name, {".bin", ".pt", ".pth", ".ckpt", ".gguf", ".ggml", ".msgpack", ".onnx", ".npz",
                              ".distcp"}) ||
         name == "tf_model.h5";
}

/// "model-00002-of-00004.safetensors" is number 2 of 4.
struct NumberedShard {
  std::string prefix;  // "model"
  std::string digits;  // "00004"
  std::string suffix;  // ".safetensors"
  std::size_t number = 0, count = 0;

  std::string name(std::size_t other) const {
    const std::string text = std::to_string(other);
    return prefix + "-" + std::string(digits.size() - std::min(digits.size(), text.size()), '0') + text +
           "-of-" + digits + suffix;
  }
};

std::optional<std::size_t> whole_number(std::string_view text) {
  std::size_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<NumberedShard> parse_numbered(std::string_view name) {
  constexpr std::size_t most = 100'000;
  constexpr std::string_view separator = "-of-";
  const std::string suffix(name.ends_with(torch_bin_suffix) ? torch_bin_suffix
                           : name.ends_with(gguf_suffix)    ? gguf_suffix
                                                            : safetensors_suffix);
  if (!name.ends_with(suffix)) return std::nullopt;
  name.remove_suffix(suffix.size());
  const auto of = name.rfind(separator);
  const auto dash = of == std::string_view::npos || of == 0 ? of : name.rfind('-', of - 1);
  if (of == std::string_view::npos || dash == std::string_view::npos) return std::nullopt;
  const std::string_view digits = name.substr(of + separator.size());
  const auto number = whole_number(name.substr(dash + 1, of - dash - 1)), count = whole_number(digits);
  if (!number || !count || *number > *count || *count > most) return std::nullopt;
  return NumberedShard{std::string(name.substr(0, dash)), std::string(digits), suffix, *number, *count};
}

// Other .bin files may be anything.
bool is_torch_bin(const std::string& name) {
  if (name == weight_names(ShardFormat::torch_bin).single) return true;
  const auto shard = parse_numbered(name);
  return shard && shard->prefix == "pytorch_model" && shard->suffix == torch_bin_suffix;
}

// Some count from 0.
void add_siblings(const NumberedShard& shard, const Names& there, std::set<std::string>& names) {
  const bool from_zero = std::ranges::binary_search(there, shard.name(0));
  const std::size_t first = from_zero ? 0 : 1;
  for (std::size_t number = first; number < first + shard.count; ++number) names.insert(shard.name(number));
}

// Without an index nothing tells which of two sets is the model.
void require_one_set(const fs::path& directory, ShardFormat format, const Names& shards) {
  std::map<std::string, std::map<std::size_t, Names>> sets;  // by prefix, by count
  for (const std::string& name : shards) {
    if (const auto shard = parse_numbered(name)) sets[shard->prefix][shard->count].push_back(name);
  }
  for (const auto& [prefix, by_count] : sets) {
    if (by_count.size() < 2) continue;
    throw FormatError(directory.string(), {},
                      "holds two sets of weights (" + short_list(by_count.begin()->second) + "; " +
                          short_list(by_count.rbegin()->second) +
                          ") and no index that says which is the model",
                      std::string("put one of them elsewhere, or add ") + weight_names(format).index);
  }
}

/// Quantisations of one model lie in one directory most often: which is meant, its name tells.
void require_one_gguf(const fs::path& directory, const Names& files) {
  std::map<std::string, std::string> first_of;  // by model
  for (const std::string& name : files) first_of.emplace(gguf_model_name(name), name);
  if (first_of.size() < 2) return;
  Names firsts;
  for (const auto& [model, first] : first_of) firsts.push_back(first);
  throw FormatError(directory.string(), {}, "holds several GGUF models: " + short_list(firsts),
                    "name one of the files in place of the directory");
}

[[noreturn]] void throw_without_weights(const WeightFiles& files) {
  const std::string directory = files.directory.string();
  const std::string none = "holds neither *.safetensors nor pytorch_model*.bin nor *.gguf files";
  if (std::ranges::any_of(files.others, is_adapter)) {
    throw FormatError(directory, {}, none + " but an adapter's (" + short_list(files.others) + ")",
                      "merge the adapter into the model that it adapts first");
  }
  if (!files.others.empty()) {
    throw FormatError(directory, {},
                      none + ", but weights in a format that is not read: " + short_list(files.others),
                      "save_pretrained() of transformers writes *.safetensors");
  }
  if (!files.unfinished.empty())
    throw FormatError(directory, {}, none + ", but an unfinished download: " + short_list(files.unfinished));
  throw FormatError(directory, {}, none);
}

bool is_dangling(const fs::path& path) {
  std::error_code ignored;
  return fs::is_symlink(fs::symlink_status(path, ignored));
}

// Of a shard that is missing; empty if none is seen.
std::string unfinished_in_words(const WeightFiles& files, const std::string& shard) {
  for (const std::string& name : files.names) {
    if (name.starts_with(shard + ".") && is_unfinished(name))
      return "; " + name + " is an unfinished download of it";
  }
  constexpr const char* cache = ".cache/huggingface/download";
  const Names cached = names_quietly(files.directory / cache);
  const bool any =
      std::ranges::any_of(cached, [](const std::string& name) { return name.ends_with(".incomplete"); });
  return any ? std::string("; ") + cache + " holds unfinished downloads" : "";
}

// Files beside those that the index names are of another sharding if they are numbered, or the whole model.
bool is_other_sharding(const Names& others, ShardFormat format) {
  return std::ranges::any_of(others, [&](const std::string& name) {
    return name == weight_names(format).single || parse_numbered(name).has_value();
  });
}

Names without(const Names& names, const Names& excluded) {
  Names rest;
  std::ranges::set_difference(names, excluded, std::back_inserter(rest));
  return rest;
}

Names merged(const Names& a, const Names& b) {
  Names all;
  std::ranges::merge(a, b, std::back_inserter(all));
  return all;
}

[[noreturn]] void throw_missing_shards(const WeightFiles& files, const std::optional<IndexFile>& index,
                                       const Names& shards, const Names& missing) {
  const std::string file = index ? index->file : files.directory.string();
  const ShardFormat format = chosen_format(files);
  const Names others = without(files.of(format), shards);
  if (index && is_other_sharding(others, format)) {
    throw FormatError(
        file, {},
        "is of another sharding than the files: of the shards that it names, these are not there: " +
            short_list(missing) + "; and these are there, which it does not name: " + short_list(others),
        std::string("take the index that belongs to the files, or remove it where ") +
            weight_names(format).single + " is the model");
  }
  const std::string more = missing.size() > 1
                               ? "; of " + std::to_string(shards.size()) + " shards, " +
                                     std::to_string(missing.size()) + " are not there: " + short_list(missing)
                               : "";
  const std::string what = is_dangling(files.directory / missing.front())
                               ? "is a symbolic link to a file that does not exist"
                               : "is missing";
  throw FormatError(file, "shard " + single_quoted(missing.front()),
                    what + more + unfinished_in_words(files, missing.front()));
}

bool is_megatron_arguments(const fs::path& file) {
  constexpr std::uint64_t largest = 1 << 20;
  try {
    return read_whole_file(file, largest).find(std::string("\"") + megatron_key + "\"") != std::string::npos;
  } catch (const std::exception&) {
    return false;
  }
}

// The value of a key of adapter_config.json; empty where it cannot be told.
std::string adapter_word(const fs::path& directory, const char* key) {
  try {
    const std::string file = (directory / adapter_config_name).string();
    const nlohmann::json document = parse_strict_json(read_whole_file(file), file);
    const auto found = document.find(key);
    return found != document.end() && found->is_string() ? found->get<std::string>() : "";
  } catch (const std::exception&) {
    return {};
  }
}

NoCheckpoint why_adapter(const fs::path& directory) {
  const std::string type = adapter_word(directory, "peft_type"),
                    base = adapter_word(directory, "base_model_name_or_path");
  const std::string kind = type.empty() || type == "LORA" ? "a LoRA adapter" : "an adapter (" + type + ")";
  return {"is " + kind + (base.empty() ? "" : " of " + base) + ", not a checkpoint",
          "merge it into the model that it adapts first"};
}

Names checkpoints_in(const WeightFiles& files) {
  Names names;
  for (const std::string& name : files.names) {
    if (has_config(files.directory / name)) names.push_back(name);
  }
  return names;
}

// Directories of a checkpoint that hold weights, but are not checkpoints.
Names directories_with_weights(const WeightFiles& files) {
  Names names;
  for (const std::string& name : files.names) {
    const fs::path path = files.directory / name;
    if (!is_directory_quietly(path) || has_config(path)) continue;
    const Names inside = names_quietly(path);
    const bool any = std::ranges::any_of(inside, [](const std::string& file) {
      return !is_hidden(file) && (file.ends_with(safetensors_suffix) || is_other_format(file)) &&
             !is_other_state(file);
    });
    if (any) names.push_back(name);
  }
  return names;
}

}  // namespace

const WeightNames& weight_names(ShardFormat format) {
  static constexpr WeightNames safetensors{"model.safetensors.index.json", "model.safetensors"},
      torch_bin{"pytorch_model.bin.index.json", "pytorch_model.bin"}, gguf{nullptr, nullptr};
  if (format == ShardFormat::gguf) return gguf;
  return format == ShardFormat::torch_bin ? torch_bin : safetensors;
}

ShardFormat chosen_format(const WeightFiles& files) {
  const auto has_index = [&](ShardFormat format) {
    return path_exists(files.directory / weight_names(format).index);
  };
  if (!files.safetensors.empty() || has_index(ShardFormat::safetensors)) return ShardFormat::safetensors;
  if (!files.torch_bins.empty() || has_index(ShardFormat::torch_bin)) return ShardFormat::torch_bin;
  return files.ggufs.empty() ? ShardFormat::safetensors : ShardFormat::gguf;
}

std::optional<IndexFile> read_index(const WeightFiles& files) {
  const ShardFormat format = chosen_format(files);
  if (format == ShardFormat::gguf) return std::nullopt;
  const std::string name = weight_names(format).index;
  const fs::path path = files.directory / name;
  if (!path_exists(path)) return std::nullopt;
  IndexFile result{path.string(), name, read_whole_file(path), {}};
  result.index = parse_shard_index(result.text, result.file);
  return result;
}

WeightFiles find_weight_files(const fs::path& directory) {
  WeightFiles files;
  files.directory = directory;
  files.names = directory_names(directory);
  std::erase_if(files.names, [](const std::string& name) { return is_hidden(name); });
  for (const std::string& name : files.names) {
    if (is_other_state(name)) continue;
    if (is_unfinished(name)) {
      files.unfinished.push_back(name);
    } else if (name.ends_with(safetensors_suffix) && !is_adapter(name)) {
      files.safetensors.push_back(name);
    } else if (is_torch_bin(name)) {
      files.torch_bins.push_back(name);
    } else if (name.ends_with(gguf_suffix) && !is_gguf_companion(name)) {
      files.ggufs.push_back(name);
    } else if (is_other_format(name) || name.ends_with(safetensors_suffix)) {
      files.others.push_back(name);
    }
  }
  return files;
}

std::vector<std::string> expected_shards(const WeightFiles& files, const std::optional<IndexFile>& index) {
  if (index) return index->index.shards();
  const ShardFormat format = chosen_format(files);
  if (format == ShardFormat::gguf) {
    require_one_gguf(files.directory, files.ggufs);
    return gguf_shards(files.ggufs.front());
  }
  const std::string single = weight_names(format).single;
  if (path_exists(files.directory / single)) return {single};
  const Names& there = files.of(format);
  if (there.empty()) throw_without_weights(files);
  require_one_set(files.directory, format, there);
  std::set<std::string> names(there.begin(), there.end());
  for (const std::string& name : there) {
    if (const auto shard = parse_numbered(name)) add_siblings(*shard, there, names);
  }
  return {names.begin(), names.end()};
}

void require_shards(const WeightFiles& files, const std::optional<IndexFile>& index,
                    const std::vector<std::string>& shards) {
  const fs::path& directory = files.directory;
  Names missing;
  for (const std::string& shard : shards) {
    if (!path_exists(directory / shard)) missing.push_back(shard);
  }
  if (!missing.empty()) throw_missing_shards(files, index, shards, missing);
  for (const std::string& shard : shards) {
    if (!path_exists(directory / (shard + ".aria2"))) continue;
    throw FormatError((directory / shard).string(), {},
                      "is an unfinished download, for " + shard + ".aria2 lies beside it",
                      "aria2c -c goes on with it; it removes that file in the end");
  }
}

fs::path config_path(const fs::path& directory) {
  const fs::path usual = directory / config_name, arguments = directory / "args.json";
  return !exists_quietly(usual) && is_megatron_arguments(arguments) ? arguments : usual;
}

bool has_config(const fs::path& directory) {
  return exists_quietly(config_path(directory));
}

std::vector<std::string> gguf_shards(const std::string& name) {
  const auto part = parse_numbered(name);
  if (!part) return {name};
  Names names;
  for (std::size_t number = 1; number <= part->count; ++number) names.push_back(part->name(number));
  return names;
}

std::string gguf_model_name(const std::string& name) {
  const auto part = parse_numbered(name);
  return part ? part->prefix : fs::path(name).stem().string();
}

bool is_checkpoint_place(const fs::path& path) {
  if (!is_directory_path(path)) return shard_format(path) == ShardFormat::gguf && path_exists(path);
  if (has_config(path)) return true;
  const WeightFiles files = find_weight_files(path);
  return !files.ggufs.empty() && chosen_format(files) == ShardFormat::gguf && checkpoints_in(files).empty();
}

std::string config_source(const fs::path& checkpoint) {
  const fs::path config = config_path(checkpoint);
  return exists_quietly(config) ? config.string() : checkpoint.string();
}

NoCheckpoint why_no_checkpoint(const fs::path& directory) {
  const WeightFiles files = find_weight_files(directory);
  const Names checkpoints = checkpoints_in(files);
  if (is_dangling(directory / config_name))
    return {"is not a checkpoint: its config.json is a symbolic link to a file that does not exist"};
  if (exists_quietly(directory / adapter_config_name)) return why_adapter(directory);
  const auto has_weights = [&](ShardFormat format) {
    return !files.of(format).empty() || exists_quietly(directory / weight_names(format).index);
  };
  if (has_weights(ShardFormat::safetensors) || has_weights(ShardFormat::torch_bin))
    return {"is not a checkpoint: it has weights, but no config.json",
            "it may still be written, or copied in part"};
  if (!files.others.empty()) {
    return {"is not a checkpoint: it has no config.json, and weights in a format that is not read: " +
            short_list(files.others)};
  }
  if (!files.unfinished.empty())
    return {"is not a checkpoint: it has no config.json, but an unfinished download: " +
            short_list(files.unfinished)};
  if (!checkpoints.empty())
    return {"is not a checkpoint itself, but holds others: " + short_list(checkpoints)};
  return {"is not a checkpoint directory: it has no config.json", {}, true};
}

std::vector<std::string> notes_on_unread(const WeightFiles& files, const std::optional<IndexFile>& index,
                                         const std::vector<std::string>& shards) {
  const ShardFormat format = chosen_format(files);
  Names unread = format == ShardFormat::gguf ? Names{} : without(files.of(format), shards), notes;
  if (!unread.empty()) {
    notes.push_back(short_list(unread) + ": not read, for " +
                    (index ? index->name + " does not name " + (unread.size() == 1 ? "it" : "them")
                           : std::string(weight_names(format).single) + " is the model"));
  }
  const Names torch_bins = without(files.torch_bins, shards);
  if (format == ShardFormat::safetensors && !torch_bins.empty())
    notes.push_back(short_list(torch_bins) + ": not read, for the model is there as safetensors, too");
  const Names others = format == ShardFormat::gguf ? files.others : merged(files.others, files.ggufs);
  if (!others.empty()) notes.push_back(short_list(others) + ": weights that are not read");
  if (!files.unfinished.empty())
    notes.push_back(short_list(files.unfinished) + ": unfinished downloads, not read");
  const Names inner = checkpoints_in(files), deeper = directories_with_weights(files);
  if (!inner.empty()) notes.push_back(short_list(inner) + ": checkpoints inside this one, not read");
  if (!deeper.empty()) notes.push_back(short_list(deeper) + ": directories with weights that are not read");
  return notes;
}

std::vector<std::string> notes_on_left_out(const fs::path& directory) {
  WeightFiles files = find_weight_files(directory);
  Names notes, plain;
  for (const std::string& name : files.names) {
    const fs::path path = directory / name;
    if (!is_directory_quietly(path)) continue;
    try {
      if (is_checkpoint_place(path)) continue;
      const NoCheckpoint why = why_no_checkpoint(path);
      if (why.is_unrelated) {
        plain.push_back(name);
      } else {
        notes.push_back(name + ": left out: it " + why.what);
      }
    } catch (const std::system_error&) {  // told by whoever looked for a checkpoint there
    }
  }
  if (!plain.empty()) notes.push_back(short_list(plain) + ": left out: no config.json there");
  Names stray = std::move(files.safetensors);
  for (const Names& more : {files.torch_bins, merged(files.others, files.ggufs)})
    stray.insert(stray.end(), more.begin(), more.end());
  if (!stray.empty()) notes.push_back(short_list(stray) + ": left out: not in the directory of a checkpoint");
  return notes;
}

}  // namespace moescope
