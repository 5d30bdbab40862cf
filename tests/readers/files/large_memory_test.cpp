#include "readers/files/large_memory.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <new>

#include "readers/sanitizers.h"

namespace moescope {
namespace {

TEST(LargeMemory, LiesOnItsBoundaryAndHoldsWhatIsWritten) {
  for (const std::size_t bytes :
       {std::size_t{1}, std::size_t{4096}, std::size_t{4} << 20, (std::size_t{5} << 20) + 3}) {
    for (const std::size_t alignment : {64u, 4096u}) {
      auto* memory = static_cast<unsigned char*>(allocate_aligned(bytes, alignment));
      EXPECT_EQ(reinterpret_cast<std::uintptr_t>(memory) % alignment, 0u) << bytes;
      std::fill_n(memory, bytes, static_cast<unsigned char>(7));
      EXPECT_EQ(memory[bytes - 1], 7);
      free_aligned(memory);
    }
  }
}

#if !MOESCOPE_SANITIZED  // these end the program instead
TEST(LargeMemory, ThatIsNotThereIsAnError) {
  EXPECT_THROW(free_aligned(allocate_aligned(std::size_t{1} << 60, 64)), std::bad_alloc);
}
#endif

}  // namespace
}  // namespace moescope
