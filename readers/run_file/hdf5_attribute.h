#pragma once
/// Attributes of HDF5 objects as values. Private to the run_file*.cpp and hdf5_*.cpp.

#include <optional>
#include <string>

#include "readers/run_file/hdf5_handle.h"
#include "readers/schema/dataset_spec.h"

namespace moescope {

/// Replaces an attribute of the same name.
void write_attribute(hid_t object, const std::string& name, const AttributeValue& value,
                     const Hdf5Site& site);

/// Empty when there is none. Throws FormatError for a type or size that no run file has.
std::optional<AttributeValue> read_attribute(hid_t object, const std::string& name, const Hdf5Site& site);

/// The text of an attribute; empty when it is absent or not a text.
std::string text_attribute(hid_t object, const std::string& name, const Hdf5Site& site);

}  // namespace moescope
