#include "readers/run_file/hdf5_driver.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <limits>
#include <memory>
#include <tuple>

// The functions are called by HDF5, which is C: no exception may leave them. A failure is put onto HDF5's
// stack of errors, as "errno = N: what", for Hdf5Site::fail to find there.
namespace moescope {
namespace {

constexpr haddr_t largest_address = std::numeric_limits<off_t>::max();
constexpr std::size_t largest_transfer = std::size_t{1} << 30;  // one call moves at most 2 GiB on Linux

/// What HDF5 hands back to the driver: its own part comes first.
struct OpenFile : H5FD_t {
  int descriptor = -1;
  struct stat status {};
  haddr_t allocated = 0;  // where HDF5 says that the file will end (EOA)
  haddr_t end = 0;        // where it ends
  OpenFile() : H5FD_t{} {}
  ~OpenFile() {
    if (descriptor >= 0) ::close(descriptor);
  }
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;
};

OpenFile& of(H5FD_t* file) {
  return *static_cast<OpenFile*>(file);
}
const OpenFile& of(const H5FD_t* file) {
  return *static_cast<const OpenFile*>(file);
}

herr_t fail(int error_number, const char* what) {
  H5Epush2(H5E_DEFAULT, __FILE__, "moescope", __LINE__, H5E_ERR_CLS, H5E_VFL, H5E_SYSERRSTR, "errno = %d: %s",
           error_number, what);
  return -1;
}

int open_flags(unsigned flags) {
  return ((flags & H5F_ACC_RDWR) != 0 ? O_RDWR : O_RDONLY) | ((flags & H5F_ACC_TRUNC) != 0 ? O_TRUNC : 0) |
         ((flags & H5F_ACC_CREAT) != 0 ? O_CREAT : 0) | ((flags & H5F_ACC_EXCL) != 0 ? O_EXCL : 0);
}

// O_NONBLOCK: opening a named pipe must not wait for the other side; it changes nothing for a regular file.
H5FD_t* open(const char* name, unsigned flags, hid_t, haddr_t) {
  auto file = std::unique_ptr<OpenFile>(new (std::nothrow) OpenFile);
  if (!file) return fail(ENOMEM, ""), nullptr;
  file->descriptor = ::open(name, open_flags(flags) | O_CLOEXEC | O_NONBLOCK, 0666);
  if (file->descriptor < 0 || ::fstat(file->descriptor, &file->status) != 0) return fail(errno, ""), nullptr;
  if (!S_ISREG(file->status.st_mode)) return fail(EINVAL, "not a regular file"), nullptr;
  file->end = static_cast<haddr_t>(file->status.st_size);
  return file.release();
}

herr_t close(H5FD_t* file) {
  const std::unique_ptr<OpenFile> owned(&of(file));
  const int descriptor = std::exchange(owned->descriptor, -1);
  return ::close(descriptor) == 0 || errno == EINTR ? 0 : fail(errno, "");
}

/// Whether two open files are one file.
int compare(const H5FD_t* a, const H5FD_t* b) {
  const auto key = [](const H5FD_t* file) {
    return std::tuple(of(file).status.st_dev, of(file).status.st_ino);
  };
  return key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : 0;
}

herr_t query(const H5FD_t*, unsigned long* flags) {
  if (flags != nullptr) {
    *flags = H5FD_FEAT_AGGREGATE_METADATA | H5FD_FEAT_ACCUMULATE_METADATA | H5FD_FEAT_DATA_SIEVE |
             H5FD_FEAT_AGGREGATE_SMALLDATA | H5FD_FEAT_POSIX_COMPAT_HANDLE | H5FD_FEAT_SUPPORTS_SWMR_IO |
             H5FD_FEAT_DEFAULT_VFD_COMPATIBLE;
  }
  return 0;
}

haddr_t allocated_end(const H5FD_t* file, H5FD_mem_t) {
  return of(file).allocated;
}
herr_t allocate(H5FD_t* file, H5FD_mem_t, haddr_t end) {
  of(file).allocated = end;
  return 0;
}
haddr_t file_end(const H5FD_t* file, H5FD_mem_t) {
  return of(file).end;
}

herr_t get_descriptor(H5FD_t* file, hid_t, void** descriptor) {
  *descriptor = &of(file).descriptor;
  return 0;
}

bool is_addressable(haddr_t address, std::size_t size) {
  return address <= largest_address && size <= largest_address - address;
}

/// What was allocated and not yet written reads as zeros; what the file had when it was opened must be there.
herr_t read(H5FD_t* file, H5FD_mem_t, hid_t, haddr_t address, std::size_t size, void* buffer) {
  if (!is_addressable(address, size)) return -1;  // a damaged file says so
  char* to = static_cast<char*>(buffer);
  while (size > 0) {
    const ssize_t count =
        ::pread(of(file).descriptor, to, std::min(size, largest_transfer), static_cast<off_t>(address));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail(errno, "");
    if (count == 0 && address < of(file).end)
      return fail(EIO, "the file ends early; was it changed meanwhile?");
    if (count == 0) return std::fill_n(to, size, '\0'), 0;
    to += count;
    address += static_cast<haddr_t>(count);
    size -= static_cast<std::size_t>(count);
  }
  return 0;
}

herr_t write(H5FD_t* file, H5FD_mem_t, hid_t, haddr_t address, std::size_t size, const void* buffer) {
  if (!is_addressable(address, size)) return fail(EFBIG, "");
  const char* from = static_cast<const char*>(buffer);
  while (size > 0) {
    const ssize_t count =
        ::pwrite(of(file).descriptor, from, std::min(size, largest_transfer), static_cast<off_t>(address));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return fail(count < 0 ? errno : EIO, "");
    from += count;
    address += static_cast<haddr_t>(count);
    size -= static_cast<std::size_t>(count);
    of(file).end = std::max(of(file).end, address);
  }
  return 0;
}

herr_t truncate(H5FD_t* file, hid_t, hbool_t) {
  OpenFile& open = of(file);
  if (open.allocated == open.end) return 0;
  if (::ftruncate(open.descriptor, static_cast<off_t>(open.allocated)) != 0) return fail(errno, "");
  open.end = open.allocated;
  return 0;
}

/// A file system without locks cannot keep others out, which is no reason not to work on it.
herr_t lock(H5FD_t* file, hbool_t exclusive) {
  const int kind = exclusive ? LOCK_EX : LOCK_SH;
  return ::flock(of(file).descriptor, kind | LOCK_NB) == 0 || errno == ENOSYS ? 0 : fail(errno, "");
}
herr_t unlock(H5FD_t* file) {
  return ::flock(of(file).descriptor, LOCK_UN) == 0 || errno == ENOSYS ? 0 : fail(errno, "");
}

H5FD_class_t driver_class() {
  H5FD_class_t driver{};
  driver.name = "moescope";
  driver.maxaddr = largest_address;
  driver.fc_degree = H5F_CLOSE_WEAK;
  driver.open = open;
  driver.close = close;
  driver.cmp = compare;
  driver.query = query;
  driver.get_eoa = allocated_end;
  driver.set_eoa = allocate;
  driver.get_eof = file_end;
  driver.get_handle = get_descriptor;
  driver.read = read;
  driver.write = write;
  driver.truncate = truncate;
  driver.lock = lock;
  driver.unlock = unlock;
  const H5FD_mem_t kinds[] = H5FD_FLMAP_DICHOTOMY;
  std::ranges::copy(kinds, driver.fl_map);
  return driver;
}

}  // namespace

void use_file_driver(hid_t access_properties, const Hdf5Site& site) {
  static const H5FD_class_t driver = driver_class();
  static const hid_t registered = site.check(H5FDregister(&driver), "cannot register the file driver");
  site.check(H5Pset_driver(access_properties, registered, nullptr), "cannot set the file driver");
}

}  // namespace moescope
