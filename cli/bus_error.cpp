#include "cli/bus_error.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <climits>
#include <cstdint>
#include <string_view>

#include "cli/commands.h"
#include "cli/last_words.h"

// All but what installs the handler runs in it, under the rule of last_words.h.
namespace moescope {
namespace {

/// Takes a hexadecimal number and the character after it off the text.
std::uintptr_t take_address(std::string_view& text) {
  std::uintptr_t value = 0;
  while (!text.empty()) {
    const char c = text.front();
    text.remove_prefix(1);
    const bool decimal = c >= '0' && c <= '9';
    if (!decimal && (c < 'a' || c > 'f')) break;
    value = value * 16 + static_cast<std::uintptr_t>(decimal ? c - '0' : c - 'a' + 10);
  }
  return value;
}

/// The file of a line of /proc/self/maps, "BEGIN-END rw-p OFFSET DEVICE INODE FILE", if it holds the address.
std::string_view file_of(std::string_view line, std::uintptr_t address) {
  const std::uintptr_t begin = take_address(line), end = take_address(line);
  const std::size_t path = line.find('/');
  return begin <= address && address < end && path != line.npos ? line.substr(path) : std::string_view();
}

/// Says the file that is mapped at this address, if the system tells.
void say_file_at(std::uintptr_t address) {
  static std::array<char, PATH_MAX + 128> line;
  const int maps = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
  std::size_t length = 0;
  std::array<char, 4096> part;
  for (ssize_t count; maps >= 0 && (count = read(maps, part.data(), part.size())) > 0;) {
    for (char c : std::string_view(part.data(), static_cast<std::size_t>(count))) {
      if (c != '\n') {
        if (length < line.size()) line[length++] = c;
        continue;
      }
      const std::string_view file = file_of({line.data(), length}, address);
      length = 0;
      if (file.empty()) continue;
      say(file);
      say(": ");
      return;
    }
  }
}

void report_lost_file(int signal_number, siginfo_t* info, void*) {
  static std::atomic_flag taken = ATOMIC_FLAG_INIT;
  if (info->si_code != BUS_ADRERR) {  // not a page that the file no longer has
    return raise_again(signal_number);
  }
  while (taken.test_and_set()) pause();  // another thread is telling it
  say_name_of_program();
  say_file_at(reinterpret_cast<std::uintptr_t>(info->si_addr));
  say("the file became shorter while it was being read, or can no longer be read\n");
  _exit(exit_failed);
}

}  // namespace

void report_lost_files() {
  struct sigaction action {};
  action.sa_sigaction = report_lost_file;
  action.sa_flags = SA_SIGINFO;
  sigaction(SIGBUS, &action, nullptr);
}

}  // namespace moescope
