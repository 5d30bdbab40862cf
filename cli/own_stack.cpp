#include "cli/own_stack.h"

#include <sys/mman.h>
#include <ucontext.h>

#include <cstddef>
#include <cstdint>

#include "readers/sanitizers.h"

namespace moescope {

#if MOESCOPE_SANITIZED

void on_own_stack(const std::function<void()>& work) {
  work();  // sanitizers know the stack they were given
}

#else

namespace {

constexpr std::size_t stack_bytes = std::size_t{8} << 20, guard_bytes = std::size_t{64} << 10;

/// makecontext hands on numbers of 32 bits only.
void call(unsigned high, unsigned low) {
  const auto address = static_cast<std::uintptr_t>(std::uint64_t{high} << 32 | low);
  (*reinterpret_cast<const std::function<void()>*>(address))();
}

}  // namespace

void on_own_stack(const std::function<void()>& work) {
  void* const stack = ::mmap(nullptr, stack_bytes, PROT_READ | PROT_WRITE,
                             MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK | MAP_NORESERVE, -1, 0);
  ucontext_t here{}, there{};
  if (stack == MAP_FAILED || ::getcontext(&there) != 0) return work();
  ::mprotect(stack, guard_bytes, PROT_NONE);  // what would run over the end is stopped
  there.uc_stack.ss_sp = stack;
  there.uc_stack.ss_size = stack_bytes;
  there.uc_link = &here;
  const auto address = static_cast<std::uint64_t>(reinterpret_cast<std::uintptr_t>(&work));
  ::makecontext(&there, reinterpret_cast<void (*)()>(call), 2, static_cast<unsigned>(address >> 32),
                static_cast<unsigned>(address));
  ::swapcontext(&here, &there);
  ::munmap(stack, stack_bytes);
}

#endif

}  // namespace moescope
