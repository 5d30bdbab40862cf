#pragma once
/// What an attribute of a run file says, as text.

#include <string>

#include "readers/run_file/run_file.h"

namespace moescope {

/// A text as it is, integers joined by dots ("1.0"). Empty where the attribute is absent or of another type.
/// `object` is a dataset, a group, or "/". Throws as RunFile::attribute does.
std::string attribute_text(const RunFile& run, const std::string& object, const std::string& name);

}  // namespace moescope
