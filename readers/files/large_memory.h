#pragma once
/// Memory for much data.

#include <cstddef>

namespace moescope {

/// On a boundary of `alignment` bytes, a power of two, and not initialised. Much of it comes in large pages
/// where the system has them: each page takes a while when it is touched first. Throws std::bad_alloc.
/// Thread-safe.
void* allocate_aligned(std::size_t bytes, std::size_t alignment);
void free_aligned(void* memory) noexcept;

}  // namespace moescope
