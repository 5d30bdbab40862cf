#pragma once
/// The open HDF5 file behind a RunFile. Private to the run_file*.cpp.

#include <map>
#include <string>
#include <vector>

#include "readers/files/output_file.h"
#include "readers/run_file/hdf5_handle.h"
#include "readers/run_file/run_file.h"

namespace moescope {

/// While one lives, this thread is inside HDF5 because of that file: what run_file_at_work() tells.
class Hdf5Work {
 public:
  explicit Hdf5Work(const std::filesystem::path& file);
  ~Hdf5Work();
  Hdf5Work(const Hdf5Work&) = delete;
  Hdf5Work& operator=(const Hdf5Work&) = delete;

 private:
  const char* before_;
};

struct RunFile::Handle {
  ~Handle();
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

  /// Throws FormatError when it does not exist or is not a dataset.
  hid_t dataset(const std::string& dataset);
  /// Whether a link of that absolute path, and all groups above it, exist.
  bool exists(const std::string& object) const;
  [[noreturn]] void throw_missing(const std::string& object) const;
  Hdf5Handle object(const std::string& name, const Hdf5Site& site) const;
  ElementType type(const std::string& dataset);
  /// What is reserved for each text; 0 where their lengths vary, and of numbers.
  std::uint64_t text_bytes(const std::string& dataset);
  std::vector<std::uint64_t> shape(const std::string& dataset);
  /// Forces everything to the disk.
  void force();
  /// A new file takes its place under its name.
  void publish();
  /// Makes the groups above `object`, e.g. "/metrics" for "/metrics/max_violation".
  void make_groups(const std::string& object);
  bool is_dataset(const std::string& object) const;
  /// Of a scale at the root.
  std::uint64_t size_of(const std::string& dimension);
  /// Names of a dataset's dimensions, from the scales attached to it, whose sizes they have.
  std::vector<std::string> dimensions(const std::string& dataset);
  /// Remembers the scales at the root of an existing file.
  void note_dimensions();
  void note_dimension(const std::string& name);
  bool is_scale(const std::string& dataset);
  /// Holds what is there against run_schema: throws FormatError where a dataset has another type or other
  /// dimensions than it has in every run file, or another size than the scales of its dimensions.
  void check_schema();
  void link_dimension(const std::string& dimension, const std::string& group);
  Hdf5Handle create_scale(const DatasetSpec& spec, std::uint64_t size, const std::string& name, bool reserve);
};

/// "/routing" of "/routing/margin"; "" of "/step".
std::string parent_group(const std::string& object);
/// "margin" of "/routing/margin".
std::string last_name(const std::string& object);

}  // namespace moescope
