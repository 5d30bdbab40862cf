#pragma once
/// The open HDF5 file behind a RunFile. Private to the run_file*.cpp.

#include <map>
#include <string>
#include <vector>

#include "readers/hdf5_handle.h"
#include "readers/output_file.h"
#include "readers/run_file.h"

namespace moescope {

struct RunFile::Handle {
  std::filesystem::path path;         // under which the user knows the file
  OutputTarget target;                // of a new file
  std::filesystem::path unpublished;  // where a new file lies until its first flush; then empty
  int exceptions = 0;                 // in flight when the file was created
  bool writable = false;
  Hdf5Handle file;
  std::map<haddr_t, std::string> dimension_names;   // of the root's scales, by the address of their object
  std::map<std::string, Hdf5Handle> open_datasets;  // kept open: chunked copies (h5repack) have caches

  Hdf5Site site(const std::string& object = {}) const { return {path.string(), object, writable}; }
  /// Like site(), of a failure that means a damaged file even where the file is open for writing.
  Hdf5Site reading(const std::string& object) const { return {path.string(), object, false}; }

  /// Throws std::out_of_range when `dataset` does not exist, FormatError when it is not a dataset.
  hid_t dataset(const std::string& dataset);
  /// Whether a link of that absolute path, and all groups above it, exist.
  bool exists(const std::string& object) const;
  ElementType type(const std::string& dataset);
  std::vector<std::uint64_t> shape(const std::string& dataset);
  /// Forces everything to the disk.
  void force();
  /// A new file takes its place under its name.
  void publish();
  /// Makes the groups above `object`, e.g. "/metrics" for "/metrics/max_violation".
  void make_groups(const std::string& object);
  bool is_dataset(const std::string& object) const;
  /// Names of a dataset's dimensions, from the scales attached to it.
  std::vector<std::string> dimensions(const std::string& dataset);
  /// Remembers the scales at the root of an existing file.
  void note_dimensions();
  void note_dimension(const std::string& name);
  void link_dimension(const std::string& dimension, const std::string& group);
  Hdf5Handle create_scale(const DatasetSpec& spec, std::uint64_t size, const std::string& name, bool reserve);
};

/// "/routing" of "/routing/margin"; "" of "/step".
std::string parent_group(const std::string& object);
/// "margin" of "/routing/margin".
std::string last_name(const std::string& object);

}  // namespace moescope
