#pragma once
/// One writer at a time for a run file; readers need no lock.

#include <filesystem>

namespace moescope {

/// Held by the process that writes a run file: an advisory lock (flock) on OUTPUT.lock, which says who holds
/// it. It ends with the process however that dies, so a lock file that is left behind keeps nobody out. It
/// also holds between machines where the file system passes such locks on (NFS since Linux 2.6.12).
class RunLock {
 public:
  /// Throws std::system_error (device_or_resource_busy), naming the holder, while another writer has
  /// it; any other error of the file system as it is.
  explicit RunLock(const std::filesystem::path& run);
  /// Removes the lock file.
  ~RunLock();
  RunLock(const RunLock&) = delete;
  RunLock& operator=(const RunLock&) = delete;

 private:
  std::filesystem::path path_;
  int descriptor_ = -1;
};

}  // namespace moescope
