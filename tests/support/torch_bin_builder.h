#pragma once
/// Files as torch.save writes them, part by part, so that each can be wrong.

#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/checkpoint_builder.h"

namespace moescope {

/// A member of a ZIP archive, and what is said of it.
struct BuiltMember {
  std::string name, data;
  std::uint16_t method = 0;      // 8: deflated
  std::uint16_t flags = 0x0808;  // names in UTF-8; sizes follow the data
  std::string padding = {};      // the extra field of the member's own header
};

/// An archive in PyTorch's way: sizes behind the data, an end record of ZIP64 before the common one.
std::string zip_bytes(const std::vector<BuiltMember>& members);
/// The same without what is of ZIP64.
std::string plain_zip_bytes(const std::vector<BuiltMember>& members);

/// Instructions of a pickle that push one value.
namespace pickled {
std::string text(std::string_view value);
std::string number(std::int64_t value);
std::string name(std::string_view module, std::string_view name);
std::string tuple(std::initializer_list<std::string> values);
std::string numbers(const std::vector<std::int64_t>& values);  // a tuple
std::string call(const std::string& callee, const std::string& arguments);
std::string ordered_dict();  // an empty one
/// A storage of `elements` of a type, e.g. "FloatStorage", that is the member data/KEY.
std::string storage(std::string_view type, std::string_view key, std::int64_t elements);
/// Offset and strides in elements.
std::string tensor(const std::string& storage, std::int64_t offset, const std::vector<std::int64_t>& shape,
                   const std::vector<std::int64_t>& strides);
struct Entry {
  std::string name, value;
};
std::string dictionary(const std::vector<Entry>& entries);
/// The whole pickle, of protocol 2.
std::string whole(const std::string& value);
}  // namespace pickled

/// What torch.save({name: tensor}) writes: each tensor with a storage of its own.
std::string torch_bin_bytes(const std::vector<BuiltTensor>& tensors);
/// An archive of this pickle and these storages.
std::string torch_bin_bytes(const std::string& pickle, const std::vector<std::string>& storages);

/// Makes the shards of a checkpoint, and its index, those of PyTorch's format: model.safetensors becomes
/// pytorch_model.bin. `checkpoint` is what was written there.
void write_as_torch_bin(const std::filesystem::path& directory, const BuiltCheckpoint& checkpoint);

}  // namespace moescope
