#include "readers/run_file/run_file.h"

#include <fcntl.h>
#include <hdf5_hl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <ctime>
#include <exception>
#include <span>
#include <string_view>
#include <system_error>

#include "readers/errors.h"
#include "readers/files/directory.h"
#include "readers/files/source_file.h"
#include "readers/run_file/hdf5_attribute.h"
#include "readers/run_file/hdf5_driver.h"
#include "readers/run_file/hdf5_heap_check.h"
#include "readers/run_file/hdf5_types.h"
#include "readers/run_file/run_file_handle.h"

namespace moescope {
namespace {

constexpr const char* filetype = "moescope-run";
const std::vector<std::int64_t> format_version = {1, 0};

/// Files of HDF5 1.8 and later: checksummed metadata, and no mark that a killed writer would leave behind.
/// Closing is weak, as with h5py: in one process all must close a file alike, or the second cannot open it.
/// Writers take no lock of HDF5, which would keep readers out (they have RunLock); readers do, as h5py does.
Hdf5Handle access_properties(bool writes, const Hdf5Site& site) {
  Hdf5Handle properties = site.own(H5Pcreate(H5P_FILE_ACCESS), "cannot make properties");
  use_file_driver(properties.id(), site);
  site.check(H5Pset_libver_bounds(properties.id(), H5F_LIBVER_V18, H5F_LIBVER_LATEST),
             "cannot set the version");
  site.check(H5Pset_fclose_degree(properties.id(), H5F_CLOSE_WEAK), "cannot set properties");
  site.check(H5Pset_file_locking(properties.id(), !writes, true), "cannot set the locking");
  return properties;
}

Hdf5Handle file_creation_properties(const Hdf5Site& site) {
  Hdf5Handle properties = site.own(H5Pcreate(H5P_FILE_CREATE), "cannot make properties");
  set_object_properties(properties.id(), true, site);
  return properties;
}

/// Now, or SOURCE_DATE_EPOCH (reproducible-builds.org) where that is set, so that files can be equal.
std::string creation_time() {
  const char* epoch = std::getenv("SOURCE_DATE_EPOCH");
  const std::time_t now = epoch ? std::strtoll(epoch, nullptr, 10) : std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  char text[sizeof "2026-01-31T23:59:59Z"] = {};
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

/// "a named pipe"; empty for a regular file.
std::string other_kind(const std::filesystem::file_status& status) {
  switch (status.type()) {
    case std::filesystem::file_type::directory:
      return "a directory";
    case std::filesystem::file_type::fifo:
      return "a named pipe";
    case std::filesystem::file_type::socket:
      return "a socket";
    case std::filesystem::file_type::regular:
      return {};
    default:
      return "a device";
  }
}

void check_exists(const std::filesystem::path& path, int mode) {
  if (::access(path.c_str(), mode) != 0) throw_not_opened(path.string(), "cannot open the run file");
  const std::string kind = other_kind(std::filesystem::status(path));
  if (!kind.empty()) throw FormatError(path.string(), "", "is " + kind + ", not a run file");
}

/// By the signature, which stands at the beginning or after a user block (HDF5 File Format Specification
/// 2.0, II.A).
bool has_signature(const std::filesystem::path& path) {
  constexpr std::string_view signature = "\x89HDF\r\n\x1a\n";
  const SourceFile file(path);
  std::string found(signature.size(), '\0');
  for (std::uint64_t offset = 0; ends_within(offset, found.size(), file.size());
       offset = std::max<std::uint64_t>(512, 2 * offset)) {
    file.read(offset, std::as_writable_bytes(std::span(found)));
    if (found == signature) return true;
  }
  return false;
}

Hdf5Handle open_file(const std::filesystem::path& path, unsigned flags, const Hdf5Site& site) {
  check_exists(path, flags == H5F_ACC_RDWR ? R_OK | W_OK : R_OK);
  if (!has_signature(path)) {
    throw FormatError(site.file, "", "is not a run file (expected HDF5)",
                      "Run files are written by 'moescope analyze'.");
  }
  const Hdf5Handle access = access_properties(flags == H5F_ACC_RDWR, site);
  Hdf5Handle file = site.own(H5Fopen(path.c_str(), flags, access.id()), "cannot open the run file");
  check_text_heaps(path);  // before anything is read from one
  return file;
}

void check_format(hid_t file, const Hdf5Site& site) {
  if (text_attribute(file, "filetype", site) != filetype) {
    throw FormatError(site.file, "",
                      "is HDF5, but not a run file (expected the root attribute filetype = 'moescope-run')");
  }
  const std::optional<AttributeValue> value = read_attribute(file, "format_version", site);
  const auto* version = value ? std::get_if<std::vector<std::int64_t>>(&*value) : nullptr;
  if (version == nullptr || version->size() != 2 || version->front() < 1) {
    throw FormatError(site.file, "format_version",
                      "is missing or malformed (expected two integers, e.g. 1, 0)");
  }
  if (version->front() > format_version.front()) {
    throw FormatError(site.file, "format_version",
                      "was written by a newer moescope (expected major version " +
                          std::to_string(format_version.front()) + ", found " +
                          std::to_string(version->front()) + ")",
                      "Update moescope to read it.");
  }
}

}  // namespace

std::string parent_group(const std::string& object) {
  return object.substr(0, object.rfind('/'));
}
std::string last_name(const std::string& object) {
  return object.substr(object.rfind('/') + 1);
}

RunFile::RunFile(std::unique_ptr<Handle> handle) : handle_(std::move(handle)) {}
RunFile::RunFile(RunFile&&) noexcept = default;
RunFile& RunFile::operator=(RunFile&& other) noexcept {
  RunFile old(std::move(*this));
  handle_ = std::move(other.handle_);
  return *this;
}

RunFile RunFile::create(const std::filesystem::path& path) {
  const Hdf5Work work(path);
  prepare_hdf5();
  auto handle = std::make_unique<Handle>();
  handle->path = path;
  handle->writable = true;
  handle->exceptions = std::uncaught_exceptions();
  const Hdf5Site site = handle->site();
  handle->target = find_output_file(path, "a run file");
  const std::filesystem::path temporary = handle->target.path.string() + ".partial";
  const Hdf5Handle creation = file_creation_properties(site), access = access_properties(true, site);
  handle->unpublished = temporary;
  handle->file = site.own(H5Fcreate(temporary.c_str(), H5F_ACC_TRUNC, creation.id(), access.id()),
                          "cannot create the run file");
  write_attribute(handle->file.id(), "filetype", std::string(filetype), site);
  write_attribute(handle->file.id(), "format_version", format_version, site);
  write_attribute(handle->file.id(), "created", creation_time(), site);
  return RunFile(std::move(handle));
}

bool RunFile::is_hdf5(const std::filesystem::path& path) {
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(path, ignored) || ::access(path.c_str(), R_OK) != 0) return false;
  return has_signature(path);
}

// HDF5's own names of flags open the library, which must be prepared before.
RunFile RunFile::open(const std::filesystem::path& path) {
  const Hdf5Work work(path);
  prepare_hdf5();
  return opened(path, H5F_ACC_RDONLY);
}

RunFile RunFile::open_for_update(const std::filesystem::path& path) {
  const Hdf5Work work(path);
  prepare_hdf5();
  return opened(path, H5F_ACC_RDWR);
}

/// Nothing is taken from the file before it has been held against what a run file may be.
RunFile RunFile::opened(const std::filesystem::path& path, unsigned flags) {
  auto handle = std::make_unique<Handle>();
  handle->path = path;
  handle->file = open_file(path, flags, handle->reading(""));
  check_format(handle->file.id(), handle->reading(""));
  handle->note_dimensions();
  handle->check_schema();
  handle->writable = flags == H5F_ACC_RDWR;
  return RunFile(std::move(handle));
}

RunFile::~RunFile() {
  if (!handle_ || !handle_->writable) return;
  const bool failed = std::uncaught_exceptions() > handle_->exceptions;
  if (failed && !handle_->unpublished.empty()) return;
  try {
    flush();
  } catch (const std::exception&) {  // a caller that must know has called flush()
  }
}

/// What was never flushed is dropped.
RunFile::Handle::~Handle() {
  const Hdf5Work work(path);
  open_datasets.clear();
  file.reset();
  std::error_code ignored;
  if (!unpublished.empty()) std::filesystem::remove(unpublished, ignored);
}

const std::filesystem::path& RunFile::path() const {
  return handle_->path;
}

void RunFile::flush() {
  const Hdf5Work work(handle_->path);
  const Hdf5Site site = handle_->site();
  site.check(H5Fflush(handle_->file.id(), H5F_SCOPE_GLOBAL), "cannot write");
  if (!handle_->unpublished.empty()) handle_->publish();
}

void RunFile::sync() {
  flush();
  handle_->force();
}

void RunFile::Handle::force() {
  void* descriptor = nullptr;
  site().check(H5Fget_vfd_handle(file.id(), H5P_DEFAULT, &descriptor), "cannot write");
  if (fsync(*static_cast<const int*>(descriptor)) != 0) throw_errno(path.string(), "cannot write");
}

/// The file is closed once before, so that HDF5 has nothing left to arrange in it.
void RunFile::Handle::publish() {
  force();
  open_datasets.clear();
  site().check(file.reset(), "cannot write");
  replace_file(unpublished, target);
  unpublished.clear();
  const Hdf5Handle access = access_properties(true, site());
  file = site().own(H5Fopen(target.path.c_str(), H5F_ACC_RDWR, access.id()), "cannot open the run file");
}

/// A dataset or group; the root's path is "/".
Hdf5Handle RunFile::Handle::object(const std::string& name, const Hdf5Site& site) const {
  if (name != "/" && !exists(name)) throw_missing(name);
  return site.own(H5Oopen(file.id(), name.c_str(), H5P_DEFAULT), "cannot open the object");
}

void RunFile::Handle::throw_missing(const std::string& object) const {
  throw FormatError(path.string(), object, "is missing");
}

void RunFile::set_attribute(const std::string& path, const std::string& name, const AttributeValue& value) {
  const Hdf5Work work(handle_->path);
  const Hdf5Site site = handle_->site(path);
  const Hdf5Handle object = handle_->object(path, site);
  write_attribute(object.id(), name, value, site);
}

std::optional<AttributeValue> RunFile::attribute(const std::string& path, const std::string& name) const {
  const Hdf5Work work(handle_->path);
  const Hdf5Site site = handle_->reading(path);
  const Hdf5Handle object = handle_->object(path, site);
  return read_attribute(object.id(), name, site);
}

}  // namespace moescope
