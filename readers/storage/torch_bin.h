#pragma once
/// One file of weights as torch.save of PyTorch 1.6 and later writes it: a ZIP archive of a pickle, which
/// describes the tensors, and of the storages that hold their elements. Trusts no byte, and runs none:
/// whatever it accepts, the rest of the program may read without further checks. The formats of before are
/// refused.

#include <string>
#include <vector>

#include "readers/storage/tensor_info.h"

namespace moescope {

class SourceFile;

struct TorchBinHeader {
  std::string pickle;               // as stored
  std::vector<TensorInfo> tensors;  // sorted by offset; several may share their bytes
};

/// Throws FormatError, std::system_error. Thread-safe.
TorchBinHeader read_torch_bin_header(const SourceFile& shard);

}  // namespace moescope
