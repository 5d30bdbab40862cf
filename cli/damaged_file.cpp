#include "cli/damaged_file.h"

#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <string_view>

#include "cli/commands.h"
#include "readers/run_file/run_file.h"

// All but what installs the handler runs in it, at any moment of any thread: no memory is allocated, no lock
// taken.
namespace moescope {
namespace {

void say(std::string_view text) {
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, text.data(), text.size());
}

/// Begins a sentence, where a terminal shows progress on that line, too.
void say_name_of_program() {
  if (isatty(STDERR_FILENO) != 0) say("\r\033[K");
  say("moescope: ");
}

/// The program ends as if it had no handler.
void raise_again(int signal_number) {
  signal(signal_number, SIG_DFL);
  raise(signal_number);
}

/// HDF5 does not look everywhere whether it got the memory that it asked for.
bool is_out_of_memory() {
  constexpr std::size_t plenty = std::size_t{64} << 20;
  return mmap(nullptr, plenty, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED;
}

void report_crash(int signal_number, siginfo_t*, void*) {
  const char* const file = run_file_at_work();
  if (file == nullptr) {
    return raise_again(signal_number);
  }
  say_name_of_program();
  if (is_out_of_memory()) {
    say("not enough memory\n");
    _exit(exit_failed);
  }
  say(file);
  say(": the file is damaged (HDF5 crashed over it)\n");
  _exit(exit_invalid_input);
}

}  // namespace

void report_damaged_files() {
  // The crash may be that of a stack that is used up.
  static std::array<std::byte, 64 << 10> room;
  stack_t stack{};
  stack.ss_sp = room.data();
  stack.ss_size = room.size();
  sigaltstack(&stack, nullptr);
  struct sigaction action {};
  action.sa_sigaction = report_crash;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  for (const int signal_number : {SIGSEGV, SIGFPE, SIGABRT}) sigaction(signal_number, &action, nullptr);
}

}  // namespace moescope
