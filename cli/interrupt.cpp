#include "cli/interrupt.h"

#include <signal.h>
#include <unistd.h>

#include <cerrno>

namespace moescope {
namespace {

// A signal handler can reach nothing but a variable of the whole program.
std::atomic<bool> interrupted = false;
static_assert(std::atomic<bool>::is_always_lock_free);

void note_interrupt(int) {
  const int code = errno;  // of whatever was interrupted
  interrupted = true;
  constexpr char message[] = "\r\033[Kstopping after what is being done now; Ctrl-C again ends at once\n";
  if (isatty(STDERR_FILENO) != 0) {
    [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, message, sizeof message - 1);
  }
  errno = code;
}

bool is_ignored(const struct sigaction& action) {
  return (action.sa_flags & SA_SIGINFO) == 0 && action.sa_handler == SIG_IGN;
}

}  // namespace

InterruptGuard::InterruptGuard() {
  interrupted = false;
  struct sigaction action {};
  action.sa_handler = note_interrupt;
  // SA_RESETHAND: the second signal finds the default again. SA_RESTART: reads are not cut short.
  action.sa_flags = SA_RESETHAND | SA_RESTART;
  for (std::size_t i = 0; i < signals.size(); ++i) {
    sigaction(signals[i], nullptr, &before_[i]);
    if (!is_ignored(before_[i])) sigaction(signals[i], &action, nullptr);
  }
}

InterruptGuard::~InterruptGuard() {
  for (std::size_t i = 0; i < signals.size(); ++i) sigaction(signals[i], &before_[i], nullptr);
}

const std::atomic<bool>& InterruptGuard::flag() const {
  return interrupted;
}

}  // namespace moescope
