#include "readers/files/large_memory.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <new>

namespace moescope {
namespace {

/// Of x86, and of Arm with pages of 4 KiB. Elsewhere nothing is gained.
constexpr std::size_t large_page = std::size_t{2} << 20;

}  // namespace

void* allocate_aligned(std::size_t bytes, std::size_t alignment) {
  const bool large = bytes >= 2 * large_page;
  void* memory = nullptr;
  if (::posix_memalign(&memory, large ? std::max(alignment, large_page) : alignment, bytes) != 0)
    throw std::bad_alloc();
  if (large) ::madvise(memory, bytes / large_page * large_page, MADV_HUGEPAGE);  // a wish
  return memory;
}

void free_aligned(void* memory) noexcept {
  std::free(memory);
}

}  // namespace moescope
