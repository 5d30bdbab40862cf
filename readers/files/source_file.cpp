#include "readers/files/source_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <limits>
#include <system_error>
#include <utility>

#include "readers/errors.h"
#include "readers/files/directory.h"

namespace moescope {
namespace {

constexpr std::size_t largest_read = std::size_t{1} << 30;  // one call of pread moves at most 2 GiB on Linux

[[noreturn]] void throw_short_read(const std::string& file, std::uint64_t end, std::uint64_t expected) {
  throw std::system_error(EIO, std::generic_category(),
                          file + ": the file ends early (expected to read to byte " +
                              std::to_string(expected) + ", found the end at byte " + std::to_string(end) +
                              "); was it changed meanwhile?");
}

struct stat status_of(int descriptor, const std::string& file) {
  struct stat status {};
  if (::fstat(descriptor, &status) != 0) throw_errno(file, "cannot be examined");
  if (S_ISDIR(status.st_mode)) throw FormatError(file, {}, "is a directory (expected a file)");
  if (!S_ISREG(status.st_mode)) {
    throw std::system_error(EINVAL, std::generic_category(), file + ": is not a regular file");
  }
  return status;
}

std::int64_t modification_time(const struct stat& status) {
  return std::int64_t{status.st_mtim.tv_sec} * 1'000'000'000 + status.st_mtim.tv_nsec;
}

void close_descriptor(int descriptor) {
  if (descriptor >= 0) ::close(descriptor);
}

bool is_same_file(int descriptor, int other) {
  struct stat status {
  }, other_status{};
  return ::fstat(descriptor, &status) == 0 && ::fstat(other, &other_status) == 0 &&
         status.st_dev == other_status.st_dev && status.st_ino == other_status.st_ino;
}

}  // namespace

// O_NONBLOCK: opening a named pipe must not wait for a writer; it changes nothing for a regular file.
SourceFile::SourceFile(const std::filesystem::path& path)
    : name_(path.string()), descriptor_(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {
  if (descriptor_ < 0) throw_not_opened(name_);
  try {
    const struct stat status = status_of(descriptor_, name_);
    size_ = static_cast<std::uint64_t>(status.st_size);
    modified_ = modification_time(status);
    inode_ = status.st_ino;
  } catch (...) {
    close_descriptor(descriptor_);
    throw;
  }
}

SourceFile::~SourceFile() {
  close_descriptor(descriptor_);
}

SourceFile::SourceFile(SourceFile&& other) noexcept
    : name_(std::move(other.name_)),
      descriptor_(std::exchange(other.descriptor_, -1)),
      size_(std::exchange(other.size_, 0)),
      modified_(other.modified_),
      inode_(other.inode_) {}

SourceFile& SourceFile::operator=(SourceFile&& other) noexcept {
  std::swap(name_, other.name_);
  std::swap(descriptor_, other.descriptor_);
  std::swap(size_, other.size_);
  std::swap(modified_, other.modified_);
  std::swap(inode_, other.inode_);
  return *this;
}

void SourceFile::read(std::uint64_t offset, std::span<std::byte> destination) const {
  constexpr auto largest_offset = static_cast<std::uint64_t>(std::numeric_limits<off_t>::max());
  if (!ends_within(offset, destination.size(), largest_offset)) {
    throw_short_read(name_, size_, std::numeric_limits<std::uint64_t>::max());
  }
  const std::uint64_t end = offset + destination.size();
  while (!destination.empty()) {
    const ssize_t count = ::pread(descriptor_, destination.data(), std::min(destination.size(), largest_read),
                                  static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw_errno(name_, "cannot be read");
    if (count == 0) throw_short_read(name_, offset, end);
    offset += static_cast<std::uint64_t>(count);
    destination = destination.subspan(static_cast<std::size_t>(count));
  }
}

void SourceFile::require_bytes(std::uint64_t end) const {
  const auto bytes = static_cast<std::uint64_t>(status_of(descriptor_, name_).st_size);
  if (bytes < end) throw_short_read(name_, bytes, end);
}

void SourceFile::require_unchanged() const {
  const struct stat status = status_of(descriptor_, name_);
  if (static_cast<std::uint64_t>(status.st_size) == size_ && modification_time(status) == modified_) return;
  throw std::system_error(EIO, std::generic_category(),
                          name_ +
                              ": was written to while it was being analysed, so that what was computed from "
                              "it is dropped");
}

int SourceFile::reopen(int flags) const {
  const std::string itself = "/proc/self/fd/" + std::to_string(descriptor_);
  if (const int descriptor = ::open(itself.c_str(), flags | O_CLOEXEC); descriptor >= 0) return descriptor;
  // Without /proc, by name; under which another file may lie by now.
  const int descriptor = ::open(name_.c_str(), flags | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0 || is_same_file(descriptor, descriptor_)) return descriptor;
  ::close(descriptor);
  return -1;
}

void SourceFile::prefetch(std::uint64_t offset, std::uint64_t bytes) const {
  ::posix_fadvise(descriptor_, static_cast<off_t>(offset), static_cast<off_t>(bytes), POSIX_FADV_WILLNEED);
}

void SourceFile::forget(std::uint64_t offset, std::uint64_t bytes) const {
  ::posix_fadvise(descriptor_, static_cast<off_t>(offset), static_cast<off_t>(bytes), POSIX_FADV_DONTNEED);
}

std::string read_whole_file(const std::filesystem::path& path, std::uint64_t limit) {
  const SourceFile file(path);
  if (file.size() > limit) {
    throw FormatError(file.name(), {},
                      "is too large (expected at most " + std::to_string(limit) + " bytes, found " +
                          std::to_string(file.size()) + ")");
  }
  std::string content(file.size(), '\0');
  file.read(0, std::as_writable_bytes(std::span(content)));
  return content;
}

}  // namespace moescope
