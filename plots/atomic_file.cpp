#include "plots/atomic_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <system_error>

#include "readers/errors.h"

namespace moescope {
namespace {

/// Writes and closes `descriptor`; returns the first errno, or 0.
int write_and_close(int descriptor, std::string_view content) {
  int failure = 0;
  while (!content.empty() && failure == 0) {
    const ssize_t written = write(descriptor, content.data(), content.size());
    if (written >= 0) {
      content.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno != EINTR) {
      failure = errno;
    }
  }
  if (failure == 0 && fsync(descriptor) != 0 && errno != EINVAL) failure = errno;
  if (close(descriptor) != 0 && failure == 0) failure = errno;
  return failure;
}

}  // namespace

void write_atomically(const std::filesystem::path& path, std::string_view content) {
  const std::string temporary = path.string() + "." + std::to_string(getpid()) + ".partial";
  const int descriptor = open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (descriptor < 0) throw_errno(path.string(), "cannot open for writing");
  int failure = write_and_close(descriptor, content);
  if (failure == 0 && rename(temporary.c_str(), path.c_str()) != 0) failure = errno;
  if (failure == 0) return;
  unlink(temporary.c_str());
  errno = failure;
  throw_errno(path.string(), "cannot write");
}

}  // namespace moescope
