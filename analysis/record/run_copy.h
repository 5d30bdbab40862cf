#pragma once
/// Values from one run file into another whose dimensions hold more, or the same in another order.

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "readers/run_file/run_file.h"

namespace moescope {

/// The place in the other file of each index of a dimension; empty: it has none there.
using Places = std::vector<std::optional<std::size_t>>;
/// By the name of a dimension; one that is not named keeps its indices.
using DimensionPlaces = std::map<std::string, Places>;

enum class Overlap : unsigned char {
  replace,  // what is there
  agree,    // NaN gives way; two different numbers at one place are a FormatError that names it
};

/// Copies what has a place. Both files have the dataset, with the same dimensions; floating-point values are
/// compared with what is there, others replace it. Memory: some 10 MiB, however large the dataset.
void copy_values(const RunFile& from, RunFile& to, const std::string& path, const DimensionPlaces& places,
                 Overlap overlap);

}  // namespace moescope
