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

void set_handler(int signal_number, void (*handler)(int), int flags) {
  struct sigaction action {};
  action.sa_handler = handler;
  action.sa_flags = flags;
  sigaction(signal_number, &action, nullptr);
}

}  // namespace

InterruptGuard::InterruptGuard() {
  interrupted = false;
  // SA_RESETHAND: the second signal finds the default again. SA_RESTART: reads are not cut short.
  for (int signal_number : {SIGINT, SIGTERM})
    set_handler(signal_number, note_interrupt, SA_RESETHAND | SA_RESTART);
}

InterruptGuard::~InterruptGuard() {
  for (int signal_number : {SIGINT, SIGTERM}) set_handler(signal_number, SIG_DFL, 0);
}

const std::atomic<bool>& InterruptGuard::flag() const {
  return interrupted;
}

}  // namespace moescope
