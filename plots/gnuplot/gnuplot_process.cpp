#include "plots/gnuplot/gnuplot_process.h"

#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <system_error>
#include <vector>

extern char** environ;

namespace moescope {
namespace {

struct FileActions {
  posix_spawn_file_actions_t actions;
  FileActions() { posix_spawn_file_actions_init(&actions); }
  ~FileActions() { posix_spawn_file_actions_destroy(&actions); }
  FileActions(const FileActions&) = delete;
  FileActions& operator=(const FileActions&) = delete;
};

/// With the default reaction to the signals that this program ignores.
struct SpawnAttributes {
  posix_spawnattr_t attributes;
  SpawnAttributes() {
    sigset_t ignored;
    sigemptyset(&ignored);
    sigaddset(&ignored, SIGPIPE);
    sigaddset(&ignored, SIGXFSZ);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigdefault(&attributes, &ignored);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
  }
  ~SpawnAttributes() { posix_spawnattr_destroy(&attributes); }
  SpawnAttributes(const SpawnAttributes&) = delete;
  SpawnAttributes& operator=(const SpawnAttributes&) = delete;
};

/// The environment without what changes what gnuplot does: its terminal (GNUTERM), where it looks for fonts
/// and help (GNUPLOT_LIB, GDFONTPATH and others), the language of its complaints.
std::vector<char*> plain_environment() {
  static char locale[] = "LC_ALL=C.UTF-8";
  std::vector<char*> plain = {locale};
  for (char** variable = environ; *variable != nullptr; ++variable) {
    const std::string_view text = *variable;
    const auto begins = [&](std::string_view start) { return text.starts_with(start); };
    const auto unwanted = {"GNU", "GDFONTPATH=", "FIT_", "LC_", "LANG"};
    if (std::none_of(unwanted.begin(), unwanted.end(), begins)) plain.push_back(*variable);
  }
  plain.push_back(nullptr);
  return plain;
}

std::string content(std::FILE* file) {
  std::string text;
  std::rewind(file);
  char buffer[1 << 14];
  while (const std::size_t got = std::fread(buffer, 1, sizeof buffer, file)) text.append(buffer, got);
  return text;
}

/// The line of gnuplot's complaint that says what is wrong; it comes last, after the offending line and a
/// caret.
std::string complaint(std::string_view text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.remove_suffix(1);
  const std::size_t start = text.rfind('\n');
  return std::string(start == std::string_view::npos ? text : text.substr(start + 1));
}

int wait_for(pid_t process, const std::string& purpose) {
  int status = 0;
  while (waitpid(process, &status, 0) < 0) {
    if (errno != EINTR)
      throw std::system_error(errno, std::generic_category(), purpose + ": waiting for gnuplot");
  }
  return status;
}

}  // namespace

FileHandle memory_file(const std::string& purpose) {
  const int descriptor = memfd_create("moescope", MFD_CLOEXEC);
  FileHandle file(descriptor < 0 ? nullptr : fdopen(descriptor, "w+"));
  if (!file)
    throw std::system_error(errno, std::generic_category(), purpose + ": cannot make a file in memory");
  return file;
}

std::string run_gnuplot(std::FILE* script, const std::string& purpose) {
  const FileHandle output = memory_file(purpose), errors = memory_file(purpose);
  if (std::fflush(script) != 0 || lseek(fileno(script), 0, SEEK_SET) < 0) {
    throw std::system_error(errno, std::generic_category(), purpose + ": cannot read the script");
  }
  FileActions redirect;
  posix_spawn_file_actions_adddup2(&redirect.actions, fileno(script), 0);
  posix_spawn_file_actions_adddup2(&redirect.actions, fileno(output.get()), 1);
  posix_spawn_file_actions_adddup2(&redirect.actions, fileno(errors.get()), 2);
  char program[] = "gnuplot", defaults[] = "--default-settings";
  char standard_input[] = "/dev/stdin";  // opened as a file: from "-" it reads byte by byte
  char* arguments[] = {program, defaults, standard_input, nullptr};
  pid_t process = 0;
  const SpawnAttributes spawn;
  std::vector<char*> environment = plain_environment();
  const int failure =
      posix_spawnp(&process, program, &redirect.actions, &spawn.attributes, arguments, environment.data());
  if (failure != 0) {
    throw std::system_error(failure, std::generic_category(),
                            purpose + ": cannot run gnuplot (is it installed and on the PATH?)");
  }
  const int status = wait_for(process, purpose);
  if (WIFSIGNALED(status)) {
    throw GnuplotError(purpose + ": gnuplot was ended by a signal: " + strsignal(WTERMSIG(status)));
  }
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    throw GnuplotError(purpose + ": gnuplot failed: " + complaint(content(errors.get())));
  }
  return content(output.get());
}

}  // namespace moescope
