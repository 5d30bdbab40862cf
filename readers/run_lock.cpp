#include "readers/run_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>
#include <system_error>

#include "readers/errors.h"

namespace moescope {
namespace {

/// Whether the name still stands for the open file: its holder removes it before letting go.
bool is_current(const std::filesystem::path& path, int descriptor) {
  struct stat named {
  }, opened{};
  return ::stat(path.c_str(), &named) == 0 && ::fstat(descriptor, &opened) == 0 &&
         named.st_ino == opened.st_ino && named.st_dev == opened.st_dev;
}

std::string this_process() {
  std::array<char, 256> host{};
  ::gethostname(host.data(), host.size() - 1);
  return "process " + std::to_string(::getpid()) + " on " + host.data();
}

std::string written_in(int descriptor) {
  std::array<char, 320> text{};
  const ssize_t size = ::pread(descriptor, text.data(), text.size() - 1, 0);
  return size > 0 ? " (" + std::string(text.data()) + ")" : std::string();
}

[[noreturn]] void refuse(const std::filesystem::path& run, int descriptor) {
  const std::string holder = written_in(descriptor);
  ::close(descriptor);
  throw std::system_error(EBUSY, std::generic_category(),
                          run.string() + ": another moescope is writing it" + holder);
}

}  // namespace

RunLock::RunLock(const std::filesystem::path& run) : path_(run.string() + ".lock") {
  for (;;) {
    const int descriptor = ::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (descriptor < 0) throw_errno(run.string(), "cannot create the run file");
    if (::flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
      // A file system without locks cannot keep writers apart, which is no reason not to work on it.
      if (errno == EWOULDBLOCK) refuse(run, descriptor);
    }
    descriptor_ = descriptor;
    if (is_current(path_, descriptor)) break;
    ::close(descriptor);
  }
  const std::string holder = this_process();
  if (::ftruncate(descriptor_, 0) != 0 || ::pwrite(descriptor_, holder.data(), holder.size(), 0) < 0) {
    errno = 0;  // who holds it is a courtesy; the lock is there
  }
}

RunLock::~RunLock() {
  ::unlink(path_.c_str());
  ::close(descriptor_);
}

}  // namespace moescope
