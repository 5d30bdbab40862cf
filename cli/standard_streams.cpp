#include "cli/standard_streams.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

namespace moescope {
namespace {

// Whether the program was started with SIGPIPE ignored.
bool broken_pipes_were_ignored = false;

}  // namespace

void take_signals_of_writes_as_errors() {
  broken_pipes_were_ignored = signal(SIGPIPE, SIG_IGN) == SIG_IGN;
  signal(SIGXFSZ, SIG_IGN);
}

void occupy_standard_descriptors() {
  // The lowest free number is taken, so they are filled in order. What is opened for reading cannot be
  // written to.
  for (int descriptor = STDIN_FILENO; descriptor <= STDERR_FILENO; ++descriptor) {
    if (fcntl(descriptor, F_GETFD) >= 0) continue;
    [[maybe_unused]] const int opened = open("/dev/null", descriptor == STDERR_FILENO ? O_WRONLY : O_RDONLY);
  }
}

StandardOutput::StandardOutput()
    : buffer_(STDOUT_FILENO, "standard output"), before_(std::cout.rdbuf(&buffer_)) {}

StandardOutput::~StandardOutput() {
  std::cout.rdbuf(before_);
}

void StandardOutput::deliver() const {
  std::cout.flush();
  buffer_.require_success();
}

void end_by_broken_pipe() {
  if (broken_pipes_were_ignored) return;
  signal(SIGPIPE, SIG_DFL);
  raise(SIGPIPE);
}

}  // namespace moescope
