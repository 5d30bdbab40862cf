#include "tests/support/streamed_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "readers/errors.h"

namespace moescope {
namespace {

constexpr std::uint64_t write_back_bytes = std::uint64_t{32} << 20;

}  // namespace

StreamedFile::StreamedFile(const std::filesystem::path& path)
    : name_(path.string()), descriptor_(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666)) {
  if (descriptor_ < 0) throw_errno(name_, "cannot be made");
}

StreamedFile::~StreamedFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

void StreamedFile::write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::pwrite(descriptor_, bytes.data(), bytes.size(), static_cast<off_t>(end_));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) throw_errno(name_, "cannot write");
    end_ += static_cast<std::uint64_t>(written);
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
  write_back(write_back_bytes);
}

// Starts the writing of the latest pages, and waits for those before them. Both are advice: where a file
// system does not take it, the kernel writes when it likes.
void StreamedFile::write_back(std::uint64_t minimum) {
  if (end_ - started_ < minimum) return;
  const auto range = [](std::uint64_t value) { return static_cast<off64_t>(value); };
  ::sync_file_range(descriptor_, range(started_), range(end_ - started_), SYNC_FILE_RANGE_WRITE);
  if (started_ > finished_) {
    ::sync_file_range(descriptor_, range(finished_), range(started_ - finished_),
                      SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER);
    ::posix_fadvise(descriptor_, range(finished_), range(started_ - finished_), POSIX_FADV_DONTNEED);
  }
  finished_ = started_;
  started_ = end_;
}

void StreamedFile::close() {
  if (::ftruncate(descriptor_, static_cast<off_t>(end_)) != 0) throw_errno(name_, "cannot be extended");
  if (started_ > 0) {  // a large file
    write_back(1);
    write_back(0);
  }
  const int descriptor = descriptor_;
  descriptor_ = -1;
  if (::close(descriptor) != 0) throw_errno(name_, "cannot be closed");
}

}  // namespace moescope
