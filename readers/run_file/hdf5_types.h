#pragma once
/// Element types and storage layout of the run file in terms of HDF5. Private to the run_file*.cpp and
/// hdf5_*.cpp.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "readers/run_file/hdf5_handle.h"
#include "readers/schema/dataset.h"

namespace moescope {

/// Little-endian numbers; text is variable-length UTF-8.
Hdf5Handle stored_type(ElementType type, const Hdf5Site& site);
/// UTF-8 of at most `bytes` bytes, NUL behind it.
Hdf5Handle reserved_text_type(std::uint64_t bytes, const Hdf5Site& site);
/// Empty for a type that a run file does not use.
std::optional<ElementType> parse_stored_type(hid_t type);
/// "f4"; "text".
const char* element_type_name(ElementType type);
/// Bytes of one element; of text the bytes of the reference to it.
std::size_t element_bytes(ElementType type);

/// Whether every value of `from` can be had as `to`: exactly, or rounded to floating point.
bool converts(ElementType from, ElementType to);

/// Creation properties: contiguous, NaN as the fill value of floats, no time stamps. With `reserve` the
/// space is taken and filled at once.
Hdf5Handle creation_properties(ElementType type, bool reserve, const Hdf5Site& site);

/// Creation properties of groups.
Hdf5Handle group_properties(const Hdf5Site& site);

/// What all objects have in common, the root group included: no time stamps; links and attributes in the
/// object's checksummed header, however many there are. (In "dense" storage elsewhere a wrong bit crashes
/// HDF5 1.10.)
void set_object_properties(hid_t properties, bool group, const Hdf5Site& site);

/// A simple dataspace; a scalar when `shape` is empty.
Hdf5Handle simple_space(const std::vector<std::uint64_t>& shape, const Hdf5Site& site);

}  // namespace moescope
