#include "tests/support/torch_bin_builder.h"

#include <map>
#include <stdexcept>

#include "tests/support/temporary_directory.h"

namespace moescope {
namespace {

std::string little_endian(std::uint64_t value, std::size_t bytes) {
  std::string text;
  for (std::size_t i = 0; i < bytes; ++i) text += static_cast<char>(value >> (8 * i) & 0xFF);
  return text;
}

std::string u16(std::uint64_t value) {
  return little_endian(value, 2);
}
std::string u32(std::uint64_t value) {
  return little_endian(value, 4);
}
std::string u64(std::uint64_t value) {
  return little_endian(value, 8);
}

// Checksums are left 0: nothing compares them.
std::string member_bytes(const BuiltMember& member) {
  const bool follow = (member.flags & 8) != 0;
  const std::string size = u32(member.data.size()), said = follow ? u32(0) : size;
  return "PK\3\4" + u16(0) + u16(member.flags) + u16(member.method) + u32(0) + u32(0) + said + said +
         u16(member.name.size()) + u16(member.padding.size()) + member.name + member.padding + member.data +
         (follow ? "PK\7\10" + u32(0) + size + size : "");
}

std::string directory_entry(const BuiltMember& member, std::size_t offset) {
  const std::string size = u32(member.data.size());
  return "PK\1\2" + u16(0) + u16(0) + u16(member.flags) + u16(member.method) + u32(0) + u32(0) + size + size +
         u16(member.name.size()) + u16(0) + u16(0) + u16(0) + u16(0) + u32(0) + u32(offset) + member.name;
}

std::string archive(const std::vector<BuiltMember>& members, bool zip64) {
  std::string bytes, directory;
  for (const BuiltMember& member : members) {
    directory += directory_entry(member, bytes.size());
    bytes += member_bytes(member);
  }
  const std::size_t begin = bytes.size(), end = begin + directory.size(), count = members.size();
  bytes += directory;
  if (zip64) {
    bytes += "PK\6\6" + u64(44) + u16(0x31E) + u16(45) + u32(0) + u32(0) + u64(count) + u64(count) +
             u64(directory.size()) + u64(begin);
    bytes += "PK\6\7" + u32(0) + u64(end) + u32(1);
  }
  return bytes + "PK\5\6" + u16(0) + u16(0) + u16(count) + u16(count) + u32(directory.size()) + u32(begin) +
         u16(0);
}

struct StorageName {
  DType dtype;
  const char* name;
};
constexpr StorageName storage_names[] = {{DType::f32, "FloatStorage"},
                                         {DType::f16, "HalfStorage"},
                                         {DType::bf16, "BFloat16Storage"},
                                         {DType::i64, "LongStorage"},
                                         {DType::u8, "ByteStorage"}};

const char* storage_name(DType dtype) {
  for (const StorageName& known : storage_names) {
    if (known.dtype == dtype) return known.name;
  }
  throw std::out_of_range("no storage of this type");
}

std::vector<std::int64_t> c_strides(const std::vector<std::int64_t>& shape) {
  std::vector<std::int64_t> strides(shape.size(), 1);
  for (std::size_t i = shape.size(); i-- > 1;) strides[i - 1] = strides[i] * shape[i];
  return strides;
}

std::string torch_shard_name(std::string name) {
  const std::string suffix = ".safetensors";
  return "pytorch_" + name.replace(name.size() - suffix.size(), suffix.size(), ".bin");
}

}  // namespace

std::string zip_bytes(const std::vector<BuiltMember>& members) {
  return archive(members, true);
}

std::string plain_zip_bytes(const std::vector<BuiltMember>& members) {
  return archive(members, false);
}

namespace pickled {

std::string text(std::string_view value) {
  return "X" + u32(value.size()) + std::string(value);
}

std::string number(std::int64_t value) {
  if (value >= 0 && value < 256) return "K" + little_endian(static_cast<std::uint64_t>(value), 1);
  return "\x8A\x08" + u64(static_cast<std::uint64_t>(value));
}

std::string name(std::string_view module, std::string_view name) {
  return "c" + std::string(module) + "\n" + std::string(name) + "\n";
}

std::string tuple(std::initializer_list<std::string> values) {
  std::string code = "(";
  for (const std::string& value : values) code += value;
  return code + "t";
}

std::string numbers(const std::vector<std::int64_t>& values) {
  std::string code = "(";
  for (const std::int64_t value : values) code += number(value);
  return code + "t";
}

std::string call(const std::string& callee, const std::string& arguments) {
  return callee + arguments + "R";
}

std::string ordered_dict() {
  return call(name("collections", "OrderedDict"), ")");
}

std::string storage(std::string_view type, std::string_view key, std::int64_t elements) {
  return tuple({text("storage"), name("torch", type), text(key), text("cpu"), number(elements)}) + "Q";
}

std::string tensor(const std::string& storage, std::int64_t offset, const std::vector<std::int64_t>& shape,
                   const std::vector<std::int64_t>& strides) {
  return call(name("torch._utils", "_rebuild_tensor_v2"),
              tuple({storage, number(offset), numbers(shape), numbers(strides), "\x89", ordered_dict()}));
}

std::string dictionary(const std::vector<Entry>& entries) {
  std::string code = "}(";
  for (const Entry& entry : entries) code += text(entry.name) + entry.value;
  return code + "u";
}

std::string whole(const std::string& value) {
  return "\x80\x02" + value + ".";
}

}  // namespace pickled

std::string torch_bin_bytes(const std::string& pickle, const std::vector<std::string>& storages) {
  std::vector<BuiltMember> members = {{"archive/data.pkl", pickle}, {"archive/byteorder", "little"}};
  for (const std::string& storage : storages)
    members.push_back({"archive/data/" + std::to_string(members.size() - 2), storage});
  members.push_back({"archive/version", "3\n"});
  return zip_bytes(members);
}

std::string torch_bin_bytes(const std::vector<BuiltTensor>& tensors) {
  std::vector<pickled::Entry> entries;
  std::vector<std::string> storages;
  for (const BuiltTensor& tensor : tensors) {
    const std::vector<std::int64_t> shape(tensor.shape.begin(), tensor.shape.end());
    const auto elements = static_cast<std::int64_t>(dtype_elements(tensor.dtype, tensor.data.size()));
    const std::string storage =
        pickled::storage(storage_name(tensor.dtype), std::to_string(storages.size()), elements);
    entries.push_back({tensor.name, pickled::tensor(storage, 0, shape, c_strides(shape))});
    storages.push_back(tensor.data);
  }
  return torch_bin_bytes(pickled::whole(pickled::dictionary(entries)), storages);
}

void write_as_torch_bin(const std::filesystem::path& directory, const BuiltCheckpoint& checkpoint) {
  const std::filesystem::path index = directory / "model.safetensors.index.json";
  std::map<std::string, std::vector<BuiltTensor>> shards;
  if (std::filesystem::exists(index)) {
    edit_json(index, [&](nlohmann::ordered_json& json) {
      for (const BuiltTensor& tensor : checkpoint.tensors) {
        auto& shard = json["weight_map"][tensor.name];
        std::filesystem::remove(directory / shard.get<std::string>());
        shard = torch_shard_name(shard);
        shards[shard].push_back(tensor);
      }
    });
    std::filesystem::rename(index, directory / "pytorch_model.bin.index.json");
  } else {
    std::filesystem::remove(directory / "model.safetensors");
    shards["pytorch_model.bin"] = checkpoint.tensors;
  }
  for (const auto& [name, tensors] : shards) write_file(directory / name, torch_bin_bytes(tensors));
}

}  // namespace moescope
