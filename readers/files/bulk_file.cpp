#include "readers/files/bulk_file.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cassert>
#include <cerrno>

namespace moescope {
namespace {

constexpr std::uint64_t whole_pages(std::uint64_t bytes) {
  return (bytes + BulkFile::page_bytes - 1) / BulkFile::page_bytes * BulkFile::page_bytes;
}

std::uint64_t system_page() {
  static const auto bytes = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  return bytes;
}

/// Pages of this part that are in the page cache, counted without reading any; 0 where the system does not
/// count: before Linux 6.5, on some file systems, or for files of others. glibc 2.36 has no such function.
std::uint64_t count_cached_pages(int descriptor, std::uint64_t offset, std::uint64_t bytes) {
  constexpr long cachestat_call = 451;
  struct {
    std::uint64_t offset, bytes;
  } range{offset, bytes};
  struct {
    std::uint64_t cached, dirty, writeback, evicted, recently_evicted;
  } pages{};
  if (::syscall(cachestat_call, descriptor, &range, &pages, 0) != 0) return 0;
  return pages.cached;
}

}  // namespace

PageBuffer::PageBuffer(std::uint64_t bytes)
    : memory_(
          static_cast<std::byte*>(allocate_aligned(std::max<std::uint64_t>(1, bytes), BulkFile::page_bytes))),
      size_(bytes) {}

BulkFile::BulkFile(const SourceFile& file)
    : file_(file), probe_(file.reopen(O_RDONLY)), direct_(file.reopen(O_RDONLY | O_DIRECT)) {
  if (probe_ < 0) return;
  ::posix_fadvise(probe_, 0, 0, POSIX_FADV_RANDOM);
  // Overlay file systems count zero whatever there is: what was just read must be found.
  std::byte first;
  counts_pages_ = ::pread(probe_, &first, sizeof first, 0) == 1 && count_cached_pages(probe_, 0, 1) == 1;
}

BulkFile::~BulkFile() {
  for (int descriptor : {probe_, direct_}) {
    if (descriptor >= 0) ::close(descriptor);
  }
}

bool BulkFile::is_cached(std::uint64_t offset, std::uint64_t bytes) const {
  if (bytes == 0 || !ends_within(offset, bytes, file_.size())) return false;
  const std::uint64_t pages = (offset + bytes - 1) / system_page() - offset / system_page() + 1;
  if (counts_pages_) return count_cached_pages(probe_, offset, bytes) == pages;
  constexpr std::uint64_t samples = 16;
  for (std::uint64_t sample = 0; sample <= samples; ++sample) {
    std::byte value;
    const iovec destination{&value, sizeof value};
    const auto at = static_cast<off_t>(offset + (bytes - 1) * sample / samples);
    if (::preadv2(probe_, &destination, 1, at, RWF_NOWAIT) != 1) return false;
  }
  return true;
}

/// Reads the whole pages around the bytes. False where the file system or the end of the file is against it.
bool BulkFile::read_direct(std::uint64_t offset, std::uint64_t bytes, std::span<std::byte> room) const {
  if (direct_ < 0 || !ends_within(offset, bytes, file_.size())) return false;
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

std::span<const std::byte> BulkFile::read(std::uint64_t offset, std::uint64_t bytes,
                                          std::span<std::byte> room) const {
  assert(room.size() >= room_for(bytes));
  if (is_cached(offset, bytes)) {
    file_.read(offset, room.first(bytes));
    return room.first(bytes);
  }
  const bool direct = read_direct(offset, bytes, room);
  if (!direct) file_.read(offset, room.first(bytes));
  file_.forget(offset, bytes);  // also the page that is_cached may have had read
  return direct ? room.subspan(offset % page_bytes, bytes) : room.first(bytes);
}

}  // namespace moescope
