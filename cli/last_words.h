#pragma once
/// What is said from a signal handler, at any moment of any thread: no memory is allocated, no lock taken.

#include <signal.h>
#include <unistd.h>

#include <string_view>

namespace moescope {

inline void say(std::string_view text) {
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, text.data(), text.size());
}

/// Begins a sentence, where a terminal shows progress on that line, too.
inline void say_name_of_program() {
  if (isatty(STDERR_FILENO) != 0) say("\r\033[K");
  say("moescope: ");
}

/// The program ends as if it had no handler.
inline void raise_again(int signal_number) {
  signal(signal_number, SIG_DFL);
  raise(signal_number);
}

}  // namespace moescope
