#pragma once
/// The Python dictionary in the header of a .npy file.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace moescope {

struct NpyDescription {
  std::string descr;  // e.g. "<i4"
  bool fortran_order = false;
  std::vector<std::uint64_t> shape;
};

/// Parses e.g. `{'descr': '<i4', 'fortran_order': False, 'shape': (16, 256), }`, white space after it
/// included. Throws FormatError; so does a structured dtype, a missing, unknown or repeated key. Trusts no
/// byte.
NpyDescription parse_npy_description(std::string_view text, const std::string& file);

}  // namespace moescope
