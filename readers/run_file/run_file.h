#pragma once
/// The run file: HDF5, format version 1.0 (data/run_format.md), opened by xarray as it is.
/// This is the only header through which the program touches HDF5; no HDF5 type appears in it.

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <type_traits>
#include <variant>
#include <vector>

#include "readers/schema/dataset.h"
#include "readers/schema/dataset_spec.h"

namespace moescope {

/// What a dataset of T is read as: T, or `As` where that is spelled and holds every T.
template <class T, class As>
struct ReadType {
  using type = std::conditional_t<std::is_void_v<As>, T, As>;
  static_assert(reads_as<T, type>(), "the elements of this dataset are of another type");
};
template <class T, class As>
using ReadAs = typename ReadType<T, As>::type;

/// An open run file. HDF5 converts numbers where that is exact, and to floating point: reading f4 or i8 as
/// double is fine, u2 as u1 is not. All functions throw std::system_error (I/O, disk full), std::bad_alloc or
/// FormatError (not a run file, a damaged one, no such dataset, a slab outside of it, a type that does not
/// convert) with the path in the message; definitions that contradict the file are std::invalid_argument, a
/// wrong number of values to be written std::out_of_range. Not thread-safe, and neither is HDF5: one thread
/// at a time in the whole process uses run files.
class RunFile {
 public:
  /// A new file with filetype, format_version and created. It lies at PATH.partial and takes the place of an
  /// existing file at the first flush(), or when it is closed without an exception in flight. Two writers of
  /// one path must be kept apart (RunLock).
  static RunFile create(const std::filesystem::path& path);
  /// Whether a file begins as HDF5 does; false for what cannot be read, and for a directory.
  static bool is_hdf5(const std::filesystem::path& path);
  /// An existing file is held against run_schema: each of its datasets has the type, the dimensions and their
  /// sizes that it has in every run file, so that a size may be taken from any of them. Not values: whoever
  /// takes an index from one must look at it.
  static RunFile open(const std::filesystem::path& path);             // read only
  static RunFile open_for_update(const std::filesystem::path& path);  // read and write
  /// Flushes, but cannot report a failure: call flush() first.
  ~RunFile();
  RunFile(RunFile&&) noexcept;
  RunFile& operator=(RunFile&&) noexcept;

  const std::filesystem::path& path() const;

  /// A dimension scale at the root, named by the last part of `spec.path`: with labels (whose type is that of
  /// the scale), or a bare size, which xarray shows as a dimension without coordinates.
  void define_dimension(const DatasetSpec& spec, std::span<const std::string> labels);
  void define_dimension(const DatasetSpec& spec, std::span<const std::int64_t> labels);
  void define_dimension(const DatasetSpec& spec, std::span<const double> labels);
  void define_dimension(const std::string& name, std::uint64_t size);

  /// A dataset of the shape its dimensions have; floats are NaN, integers 0 and texts empty until written.
  void define(const DatasetSpec& spec);
  bool contains(const std::string& path) const;
  /// Absolute paths of all datasets, sorted; those below `group` when given. Labelled scales appear once, at
  /// the root; bare sizes do not, though contains() and shape() know them.
  std::vector<std::string> datasets(const std::string& group = "/") const;
  DatasetSpec describe(const std::string& path) const;
  std::vector<std::uint64_t> shape(const std::string& path) const;

  /// Values lie in row-major order. T, to be spelled, is one of uint8_t, uint16_t, uint32_t, int32_t,
  /// int64_t, float, double, std::string.
  template <class T>
  void write(const std::string& path, std::span<const T> values);
  template <class T>
  void write(const std::string& path, const Slab& slab, std::span<const T> values);
  template <class T>
  std::vector<T> read(const std::string& path) const;
  template <class T>
  std::vector<T> read(const std::string& path, const Slab& slab) const;

  /// Of a dataset whose type is known, T follows from it, and another one that its elements do not convert to
  /// does not compile: read<double>(dataset::loss_nll) widens, write<double>(dataset::loss_nll, …) is
  /// refused.
  template <class T>
  void write(Dataset<T> dataset, std::span<const std::type_identity_t<T>> values) {
    write<T>(std::string(dataset), values);
  }
  template <class T>
  void write(Dataset<T> dataset, const Slab& slab, std::span<const std::type_identity_t<T>> values) {
    write<T>(std::string(dataset), slab, values);
  }
  template <class Other, class T>
  requires(!std::is_same_v<Other, T>) void write(Dataset<T> dataset, std::span<const Other> values) = delete;
  template <class Other, class T>
  requires(!std::is_same_v<Other, T>) void write(Dataset<T> dataset, const Slab& slab,
                                                 std::span<const Other> values) = delete;
  template <class As = void, class T>
  auto read(Dataset<T> dataset) const {
    return read<ReadAs<T, As>>(std::string(dataset));
  }
  template <class As = void, class T>
  auto read(Dataset<T> dataset, const Slab& slab) const {
    return read<ReadAs<T, As>>(std::string(dataset), slab);
  }

  /// Attributes of a dataset or group; of the file where `path` is "/".
  void set_attribute(const std::string& path, const std::string& name, const AttributeValue& value);
  std::optional<AttributeValue> attribute(const std::string& path, const std::string& name) const;

  /// Hands everything to the operating system; what was written until now survives the death of the process.
  /// After the first time all space of what was defined before is reserved, and writing values changes
  /// nothing else: whenever the process dies, the file opens, and readers can read meanwhile.
  void flush();
  /// Like flush(), and what was written survives a loss of power as well.
  void sync();

 private:
  struct Handle;
  explicit RunFile(std::unique_ptr<Handle> handle);
  static RunFile opened(const std::filesystem::path& path, unsigned flags);
  template <class T>
  void define_labels(const DatasetSpec& spec, std::span<const T> labels);
  std::unique_ptr<Handle> handle_;
};

/// The file because of which this thread is inside HDF5; null outside. Damaged in ways that HDF5 1.10 does
/// not notice, a file makes it crash: this is for the handler of that signal, which may call it at any
/// moment.
const char* run_file_at_work() noexcept;

}  // namespace moescope
