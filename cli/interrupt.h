#pragma once
/// Ctrl-C in a long piece of work.

#include <signal.h>

#include <array>
#include <atomic>

namespace moescope {

/// While one lives, the first SIGINT, SIGTERM or SIGHUP sets the flag and says so on standard error, if that
/// is a terminal; the second ends the program as usual. A signal that was ignored before stays so (nohup, and
/// jobs that a script puts into the background). One at a time.
class InterruptGuard {
 public:
  InterruptGuard();
  ~InterruptGuard();
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;

  const std::atomic<bool>& flag() const;

 private:
  static constexpr std::array signals = {SIGINT, SIGTERM, SIGHUP};
  std::array<struct sigaction, signals.size()> before_{};
};

}  // namespace moescope
