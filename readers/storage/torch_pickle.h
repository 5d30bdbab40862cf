#pragma once
/// The state dict in the pickle that torch.save writes: names of tensors, and where in which storage they
/// lie.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "readers/storage/tensor_info.h"

namespace moescope {

struct PickledTensor {
  TensorInfo info;                  // the offset is from the start of the storage
  std::string storage;              // its key: the archive's member data/KEY
  std::uint64_t storage_bytes = 0;  // as the pickle tells; the tensor lies within
};

/// The tensors of a state dict, alone or as the one entry "state_dict", "model" or "module" of a dictionary,
/// in the order in which they were saved. Of Python's names, only those that tensors, storages and
/// dictionaries need are known; everything else is refused with what was asked for. Throws FormatError, also
/// for a tensor whose elements do not lie in C order, or not in its storage, and for a name that is there
/// twice. `file` names it in messages. Thread-safe. Trusts no byte.
std::vector<PickledTensor> parse_torch_pickle(std::string_view pickle, const std::string& file);

}  // namespace moescope
