/// RunFile: what an existing file holds, against what every run file holds.

#include <algorithm>

#include "readers/errors.h"
#include "readers/run_file/hdf5_types.h"
#include "readers/run_file/run_file_handle.h"
#include "readers/schema/run_schema.h"
#include "readers/text/name_list.h"

namespace moescope {
namespace {

// What a signal handler is to find.
thread_local constinit const char* file_at_work = nullptr;

/// "[checkpoint, tensor]".
std::string list_of(const std::vector<std::string>& names) {
  return "[" + name_list(names) + "]";
}

bool is_type_of(const DatasetRow& row, ElementType type) {
  return type == row.type || type == row.narrow;
}

/// Dimensions that are as long as another, or shorter by `less`.
struct LengthRule {
  const char *dimension, *other;
  std::uint64_t less;
};
constexpr LengthRule length_rules[] = {{"other_checkpoint", "checkpoint", 0},
                                       {"checkpoint_step", "checkpoint", 1},
                                       {"other_checkpoint_step", "checkpoint", 1},
                                       {"component", "checkpoint", 1},
                                       {"other_expert", "expert", 0}};

/// Sizes of dimensions that were defined, by name.
using Sizes = std::map<std::string, std::uint64_t>;

void check_sizes(const Sizes& sizes, const std::string& file) {
  const auto checkpoints = sizes.find("checkpoint");
  if (checkpoints != sizes.end() && checkpoints->second == 0)
    throw FormatError(file, "/checkpoint", "holds no checkpoint");
  const auto ranks = sizes.find("rank"), experts = sizes.find("expert");
  if (ranks != sizes.end() && experts != sizes.end() &&
      (ranks->second == 0 || ranks->second > experts->second))
    throw FormatError(file, "/rank", "does not fit the number of experts");
  for (const LengthRule& rule : length_rules) {
    const auto found = sizes.find(rule.dimension), other = sizes.find(rule.other);
    if (found == sizes.end() || other == sizes.end() || found->second + rule.less == other->second) continue;
    throw FormatError(file, "/" + found->first,
                      "has another size than " + other->first + " demands (expected " +
                          std::to_string(other->second - rule.less) + ", found " +
                          std::to_string(found->second) + ")");
  }
}

void check_type(const DatasetRow& spec, ElementType type, const std::string& file) {
  if (is_type_of(spec, type)) return;
  throw FormatError(file, spec.path,
                    std::string("has another element type than in a run file (expected ") +
                        element_type_name(spec.type) + ", found " + element_type_name(type) + ")");
}

void check_dimensions(const DatasetSpec& spec, const std::vector<std::string>& found,
                      const std::string& file) {
  if (found == spec.dimensions) return;
  throw FormatError(file, spec.path,
                    "has other dimensions than in a run file (expected " + list_of(spec.dimensions) +
                        ", found " + list_of(found) + ")");
}

}  // namespace

Hdf5Work::Hdf5Work(const std::filesystem::path& file) : before_(file_at_work) {
  file_at_work = file.c_str();
}
Hdf5Work::~Hdf5Work() {
  file_at_work = before_;
}

const char* run_file_at_work() noexcept {
  return file_at_work;
}

std::uint64_t RunFile::Handle::size_of(const std::string& dimension) {
  const std::vector<std::uint64_t> extents = shape("/" + dimension);
  if (extents.size() == 1) return extents[0];
  throw FormatError(
      path.string(), "/" + dimension,
      "is no scale of a dimension (expected 1 dimension, found " + std::to_string(extents.size()) + ")");
}

/// Metrics, and what others have added, have no row in the schema; where they are read, they are looked at.
void RunFile::Handle::check_schema() {
  const std::string file_name = path.string();
  Sizes sizes;
  for (const auto& [address, name] : dimension_names) sizes[name] = size_of(name);
  check_sizes(sizes, file_name);
  for (const DatasetRow& spec : raw_datasets()) {
    if (!exists(spec.path) || !is_dataset(spec.path)) continue;
    check_type(spec, type(spec.path), file_name);
    check_dimensions(spec, dimensions(spec.path), file_name);
  }
}

}  // namespace moescope
