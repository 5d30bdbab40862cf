#pragma once
/// Ctrl-C in a long piece of work.

#include <atomic>

namespace moescope {

/// While one lives, the first SIGINT or SIGTERM sets the flag and says so on standard error, if that is a
/// terminal; the second ends the program as usual. One at a time.
class InterruptGuard {
 public:
  InterruptGuard();
  ~InterruptGuard();
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;

  const std::atomic<bool>& flag() const;
};

}  // namespace moescope
