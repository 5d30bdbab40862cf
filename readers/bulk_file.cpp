#include "readers/bulk_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <new>
#include <utility>

namespace moescope {
namespace {

constexpr std::uint64_t whole_pages(std::uint64_t bytes) {
  return (bytes + BulkFile::page_bytes - 1) / BulkFile::page_bytes * BulkFile::page_bytes;
}

}  // namespace

PageBuffer::PageBuffer(std::uint64_t bytes)
    : memory_(static_cast<std::byte*>(std::aligned_alloc(BulkFile::page_bytes, whole_pages(bytes)))),
      size_(bytes) {
  if (!memory_) throw std::bad_alloc();
}

MappedBytes::MappedBytes(int descriptor, std::uint64_t offset, std::uint64_t bytes) {
  const std::uint64_t before = offset % static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  void* pages =
      ::mmap(nullptr, before + bytes, PROT_READ, MAP_SHARED, descriptor, static_cast<off_t>(offset - before));
  if (pages == MAP_FAILED) return;
  pages_ = {static_cast<std::byte*>(pages), before + bytes};
#ifdef MADV_POPULATE_READ
  // Page faults now, on the reading thread. Fails, without a signal, where the file has become shorter.
  if (::madvise(pages, pages_.size(), MADV_POPULATE_READ) != 0 && errno == EFAULT) return;
#endif
  bytes_ = std::span<const std::byte>(pages_).subspan(before);
}

MappedBytes::~MappedBytes() {
  if (!pages_.empty()) ::munmap(pages_.data(), pages_.size());
}

MappedBytes::MappedBytes(MappedBytes&& other) noexcept
    : pages_(std::exchange(other.pages_, {})), bytes_(std::exchange(other.bytes_, {})) {}

MappedBytes& MappedBytes::operator=(MappedBytes&& other) noexcept {
  MappedBytes taken(std::move(other));
  std::swap(pages_, taken.pages_);
  std::swap(bytes_, taken.bytes_);
  return *this;
}

BulkFile::BulkFile(const SourceFile& file)
    : file_(file),
      probe_(::open(file.name().c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)),
      direct_(::open(file.name().c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_DIRECT)) {
  if (probe_ >= 0) ::posix_fadvise(probe_, 0, 0, POSIX_FADV_RANDOM);
}

BulkFile::~BulkFile() {
  for (int descriptor : {probe_, direct_}) {
    if (descriptor >= 0) ::close(descriptor);
  }
}

bool BulkFile::is_cached(std::uint64_t offset, std::uint64_t bytes) const {
  constexpr std::uint64_t samples = 16;
  for (std::uint64_t sample = 0; sample <= samples && bytes > 0; ++sample) {
    std::byte value;
    const iovec destination{&value, sizeof value};
    const auto at = static_cast<off_t>(offset + (bytes - 1) * sample / samples);
    if (::preadv2(probe_, &destination, 1, at, RWF_NOWAIT) != 1) return false;
  }
  return bytes > 0;
}

MappedBytes BulkFile::map(std::uint64_t offset, std::uint64_t bytes) const {
  return probe_ >= 0 && offset + bytes <= file_.size() ? MappedBytes(probe_, offset, bytes) : MappedBytes();
}

/// Reads the whole pages around the bytes. False where the file system or the end of the file is against it.
bool BulkFile::read_direct(std::uint64_t offset, std::uint64_t bytes, std::span<std::byte> room) const {
  if (direct_ < 0) return false;
  const std::uint64_t begin = offset / page_bytes * page_bytes, end = whole_pages(offset + bytes);
  for (std::uint64_t at = begin; at < offset + bytes;) {
    const ssize_t count = ::pread(direct_, room.data() + (at - begin), end - at, static_cast<off_t>(at));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    at += static_cast<std::uint64_t>(count);
    if (at < offset + bytes && at % page_bytes != 0) return false;
  }
  return true;
}

std::span<const std::byte> BulkFile::read_uncached(std::uint64_t offset, std::uint64_t bytes,
                                                   std::span<std::byte> room) const {
  if (read_direct(offset, bytes, room)) return room.subspan(offset % page_bytes, bytes);
  file_.read(offset, room.first(bytes));
  file_.forget(offset, bytes);
  return room.first(bytes);
}

}  // namespace moescope
