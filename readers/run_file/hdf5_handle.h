#pragma once
/// HDF5 identifiers with an owner, and HDF5 failures as exceptions. Private to the run_file*.cpp and
/// hdf5_*.cpp.

#include <hdf5.h>

#include <string>
#include <utility>

namespace moescope {

/// Owns one HDF5 identifier of any kind: file, group, dataset, dataspace, type, attribute or property list.
class Hdf5Handle {
 public:
  Hdf5Handle() = default;
  explicit Hdf5Handle(hid_t id) : id_(id) {}
  ~Hdf5Handle() { reset(); }
  Hdf5Handle(Hdf5Handle&& other) noexcept : id_(std::exchange(other.id_, H5I_INVALID_HID)) {}
  Hdf5Handle& operator=(Hdf5Handle&& other) noexcept {
    if (this != &other) {
      reset();
      id_ = std::exchange(other.id_, H5I_INVALID_HID);
    }
    return *this;
  }

  hid_t id() const { return id_; }
  /// Closes; negative when HDF5 reports a failure (the identifier is given up all the same).
  int reset() {
    const hid_t id = std::exchange(id_, H5I_INVALID_HID);
    return id >= 0 ? H5Idec_ref(id) : 0;
  }

 private:
  hid_t id_ = H5I_INVALID_HID;
};

/// What a call is about: where a failure is reported, and as what.
struct Hdf5Site {
  std::string file;
  std::string object;    // "/routing/margin", "/routing/margin@unit"; may be empty
  bool writing = false;  // a failure is an I/O error when writing, and otherwise a damaged file

  /// Throws std::bad_alloc where memory was lacking, std::system_error with the operating system's error
  /// where HDF5 had one, else with EIO when writing; else FormatError. To be called at once after the failing
  /// call.
  [[noreturn]] void fail(const std::string& action) const;

  /// Passes a result of HDF5 on; a negative one is a failure.
  template <class Result>
  Result check(Result result, const char* action) const {
    if (result < 0) fail(action);
    return result;
  }
  /// Takes ownership of a new identifier.
  Hdf5Handle own(hid_t id, const char* action) const { return Hdf5Handle(check(id, action)); }
};

/// To be called before anything else of HDF5: it prints no error of its own accord, and closes nothing when
/// the process ends (after a failed write, on a full disk, that crashes HDF5 1.10; our handles have owners).
/// Idempotent.
void prepare_hdf5();

}  // namespace moescope
