#include "readers/run_file/run_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>
#include <system_error>
#include <utility>

#include "readers/errors.h"

namespace moescope {
namespace {

/// Whether the name still stands for the open file: its holder removes it before letting go. Throws
/// std::system_error where the file system does not tell.
bool is_current(const std::filesystem::path& path, int descriptor) {
  struct stat named {
  }, opened{};
  if (::fstat(descriptor, &opened) != 0) throw_errno(path.string(), "cannot examine the lock");
  if (::stat(path.c_str(), &named) == 0)
    return named.st_ino == opened.st_ino && named.st_dev == opened.st_dev;
  if (errno != ENOENT) throw_errno(path.string(), "cannot examine the lock");
  return false;
}

/// Closes what was opened and not kept.
struct Descriptor {
  int number;
  explicit Descriptor(int opened) : number(opened) {}
  ~Descriptor() {
    if (number >= 0) ::close(number);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
};

constexpr int most_tries = 1000;  // others may come and go, but not for ever

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
  throw std::system_error(EBUSY, std::generic_category(),
                          run.string() + ": another moescope is writing it" + written_in(descriptor));
}

}  // namespace

RunLock::RunLock(const std::filesystem::path& run) : path_(run.string() + ".lock") {
  for (int tries = 0; descriptor_ < 0; ++tries) {
    Descriptor lock(::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0666));
    if (lock.number < 0) throw_errno(run.string(), "cannot create the run file");
    // A file system without locks cannot keep writers apart, which is no reason not to work on it.
    if (::flock(lock.number, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) refuse(run, lock.number);
    if (is_current(path_, lock.number)) descriptor_ = std::exchange(lock.number, -1);
    if (descriptor_ < 0 && tries == most_tries)
      throw std::system_error(EBUSY, std::generic_category(),
                              path_.string() + ": is removed again and again by others");
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
