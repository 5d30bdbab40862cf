#include "plots/gnuplot_process.h"

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <stdexcept>
#include <string_view>
#include <system_error>

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

FileHandle temporary_file() {
  FileHandle file(std::tmpfile());
  if (!file) throw std::system_error(errno, std::generic_category(), "cannot make a temporary file");
  return file;
}

std::string run_gnuplot(std::FILE* script, const std::string& purpose) {
  const FileHandle output = temporary_file(), errors = temporary_file();
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
  const int failure = posix_spawnp(&process, program, &redirect.actions, nullptr, arguments, environ);
  if (failure != 0) {
    throw std::system_error(failure, std::generic_category(),
                            purpose + ": cannot run gnuplot (is it installed and on the PATH?)");
  }
  const int status = wait_for(process, purpose);
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    throw std::runtime_error(purpose + ": gnuplot failed: " + complaint(content(errors.get())));
  }
  return content(output.get());
}

}  // namespace moescope
