#include "readers/files/output_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <optional>
#include <random>
#include <system_error>
#include <utility>

#include "readers/errors.h"
#include "readers/files/output_stream.h"

namespace moescope {
namespace {

namespace fs = std::filesystem;

constexpr mode_t permissions = 07777;
constexpr std::size_t longest_name = 255;  // NAME_MAX of every file system of note

/// An open descriptor with an owner.
class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  ~Descriptor() { close(); }
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  int number() const { return number_; }
  bool is_open() const { return number_ >= 0; }
  /// Negative when the system reports a failure, as of a write that it had put off.
  int close() { return is_open() ? ::close(std::exchange(number_, -1)) : 0; }

 private:
  int number_ = -1;
};

fs::path folder_of(const fs::path& file) {
  return file.has_parent_path() ? file.parent_path() : fs::path(".");
}

std::optional<struct stat> examine(const fs::path& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return {};
  return status;
}

std::optional<struct stat> examine(const OutputTarget& target) {
  struct stat status {};
  if (target.kind != OutputTarget::Kind::descriptor) return examine(target.path);
  if (::fstat(target.descriptor, &status) != 0) return {};
  return status;
}

/// 3 of "/dev/fd/3"; -1 of any other path.
int named_descriptor(const fs::path& path) {
  const std::string folder = path.parent_path().string(), name = path.filename().string();
  if (folder != "/dev/fd" && folder != "/proc/self/fd" &&
      folder != "/proc/" + std::to_string(::getpid()) + "/fd")
    return -1;
  int number = -1;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
  return error == std::errc() && end == name.data() + name.size() ? number : -1;
}

/// What a chain of symbolic links leads to, there or not. Those to open files are no names of files.
fs::path without_links(fs::path path) {
  std::error_code error;
  for (int links = 0; links < 40; ++links) {
    if (path.native().starts_with("/proc/") || named_descriptor(path) >= 0) break;
    const fs::path link = fs::read_symlink(path, error);
    if (error) break;
    path = path.parent_path() / link;
  }
  return path;
}

void require_folder(const OutputTarget& target) {
  const fs::path folder = folder_of(target.path);
  const std::string thing = "folder '" + folder.string() + "'";
  const auto status = examine(folder);
  if (!status) throw_errno(target.name, thing);
  errno = ENOTDIR;
  if (!S_ISDIR(status->st_mode)) throw_errno(target.name, thing);
}

/// A file cannot be made in a folder that takes no new ones, nor replaced, which is to make another.
void require_writable(const OutputTarget& target, bool exists) {
  const fs::path folder = folder_of(target.path);
  if (exists && ::access(target.path.c_str(), W_OK) != 0) throw_errno(target.name, "cannot be written to");
  if (::access(folder.c_str(), W_OK | X_OK) != 0)
    throw_errno(target.name, "folder '" + folder.string() + "': cannot be written to");
}

std::string random_letters() {
  std::random_device random;
  std::string letters(8, 'a');
  for (char& letter : letters) letter = static_cast<char>('a' + random() % 26);
  return letters;
}

/// A name beside `file` that nothing is likely to have.
fs::path temporary_name(const fs::path& file) {
  const std::string end = "." + random_letters() + ".partial";
  return folder_of(file) / (file.filename().string().substr(0, longest_name - end.size()) + end);
}

/// The owner first: to change it may take rights from the mode. A group that the user is not in cannot be
/// kept; what it was allowed to do is then kept from the user's own group.
void keep_mode_and_owner(int descriptor, const OutputTarget& target) {
  const auto old = examine(target.path);
  struct stat status {};
  if (!old || ::fstat(descriptor, &status) != 0) return;
  mode_t mode = old->st_mode & permissions;
  const bool same = old->st_uid == status.st_uid && old->st_gid == status.st_gid;
  if (!same && ::fchown(descriptor, old->st_uid, old->st_gid) != 0) {
    if (old->st_uid != status.st_uid) throw_errno(target.name, "its owner cannot be kept");
    mode &= ~static_cast<mode_t>(S_IRWXG | S_ISGID);
  }
  if ((!same || mode != (status.st_mode & permissions)) && ::fchmod(descriptor, mode) != 0)
    throw_errno(target.name, "its mode cannot be kept");
}

bool cannot_be_forced(int error) {
  return error == EINVAL || error == ENOTSUP || error == EOPNOTSUPP || error == ENOSYS;
}

void force(int descriptor, const std::string& name, const std::string& action) {
  if (::fsync(descriptor) != 0 && !cannot_be_forced(errno)) throw_errno(name, action);
}

/// So that the new name in it outlives a loss of power. A folder that may be written to but not read cannot
/// be forced.
void force_folder(const OutputTarget& target) {
  const fs::path folder = folder_of(target.path);
  const std::string action = "folder '" + folder.string() + "': cannot be forced to the disk";
  const Descriptor open_folder(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (open_folder.is_open()) return force(open_folder.number(), target.name, action);
  if (errno != EACCES) throw_errno(target.name, action);
}

void replace_by_open(int descriptor, const fs::path& temporary, const OutputTarget& target) {
  keep_mode_and_owner(descriptor, target);
  force(descriptor, target.name, "cannot be forced to the disk");
  if (::rename(temporary.c_str(), target.path.c_str()) != 0) throw_errno(target.name, "cannot be replaced");
  force_folder(target);
}

}  // namespace

bool OutputTarget::is_standard_output() const {
  return kind == Kind::descriptor && descriptor == STDOUT_FILENO;
}

OutputTarget find_output(const fs::path& given) {
  if (given.empty()) throw UsageError("the name of the output is empty");
  if (given == "-") return {"standard output", OutputTarget::Kind::descriptor, {}, STDOUT_FILENO};
  OutputTarget target{given.string(), OutputTarget::Kind::file, without_links(given), -1};
  target.descriptor = named_descriptor(target.path);
  if (target.descriptor >= 0) {
    target.kind = OutputTarget::Kind::descriptor;
    return target;
  }
  const auto status = examine(target.path);
  if (!target.path.has_filename() || (status && S_ISDIR(status->st_mode)))
    throw UsageError(target.name + ": is a directory (expected the name of a file)");
  if (status && !S_ISREG(status->st_mode)) {
    target.kind = OutputTarget::Kind::stream;
    return target;
  }
  require_folder(target);
  if (!status && !examine(target.path) && errno != ENOENT) throw_errno(target.name, "cannot be examined");
  require_writable(target, status.has_value());
  return target;
}

OutputTarget find_output_file(const fs::path& given, std::string_view what) {
  OutputTarget target = find_output(given);
  if (target.is_file()) return target;
  throw UsageError(
      target.name + ": cannot hold " + std::string(what) + ", which is read again while it is written",
      "give the name of a regular file, there or not");
}

bool is_same_file(const OutputTarget& output, const fs::path& other) {
  const auto a = examine(output), b = examine(other);
  return a && b && a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

void require_not_among(const OutputTarget& output, std::span<const fs::path> inputs) {
  for (const fs::path& input : inputs) {
    if (!is_same_file(output, input)) continue;
    const std::string also = input.string() == output.name ? "" : " (" + input.string() + ")";
    throw UsageError(
        output.name + ": is an input of this command" + also + ", which writing to it would destroy",
        "give another -o");
  }
}

void replace_file(const fs::path& temporary, const OutputTarget& target) {
  const Descriptor file(::open(temporary.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.is_open()) throw_errno(target.name, "cannot be written");
  replace_by_open(file.number(), temporary, target);
}

struct OutputFile::State {
  OutputTarget target;
  Descriptor file;
  fs::path temporary;  // empty: none, or it has no name yet
  std::optional<DescriptorStream> stream;

  void open();
  void open_temporary();
  void give_name();
  void close();
};

void OutputFile::State::open() {
  if (target.kind == OutputTarget::Kind::file) return open_temporary();
  file = Descriptor(target.kind == OutputTarget::Kind::descriptor
                        ? ::fcntl(target.descriptor, F_DUPFD_CLOEXEC, 3)
                        : ::open(target.path.c_str(), O_WRONLY | O_CLOEXEC | O_NOCTTY));
  if (!file.is_open()) throw_errno(target.name, "cannot be opened for writing");
}

/// Without a name where the file system has such files, so that not even a killed process leaves one behind.
/// What will replace a file is nobody's to read before it has the mode of that.
void OutputFile::State::open_temporary() {
  const mode_t mode = examine(target.path) ? 0600 : 0666;
  if (::access("/proc/self/fd", X_OK) == 0) {
    file = Descriptor(::open(folder_of(target.path).c_str(), O_TMPFILE | O_WRONLY | O_CLOEXEC, mode));
  }
  while (!file.is_open()) {
    const fs::path name = temporary_name(target.path);
    file = Descriptor(::open(name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode));
    if (file.is_open()) temporary = name;
    if (!file.is_open() && errno != EEXIST) throw_errno(target.name, "cannot be written");
  }
}

void OutputFile::State::give_name() {
  const std::string itself = "/proc/self/fd/" + std::to_string(file.number());
  while (temporary.empty()) {
    const fs::path name = temporary_name(target.path);
    if (::linkat(AT_FDCWD, itself.c_str(), AT_FDCWD, name.c_str(), AT_SYMLINK_FOLLOW) == 0) {
      temporary = name;
    } else if (errno != EEXIST) {
      throw_errno(target.name, "cannot be written");
    }
  }
}

void OutputFile::State::close() {
  if (file.close() != 0) throw_errno(target.name, "cannot write");
}

OutputFile::OutputFile(OutputTarget target) : state_(new State{std::move(target), Descriptor(-1), {}, {}}) {
  state_->open();
  state_->stream.emplace(state_->file.number(), state_->target.name);
}

OutputFile::~OutputFile() {
  if (!state_->temporary.empty()) ::unlink(state_->temporary.c_str());
}

std::ostream& OutputFile::stream() {
  return *state_->stream;
}

void OutputFile::publish() {
  state_->stream->flush();
  if (state_->target.is_file()) {
    state_->give_name();
    replace_by_open(state_->file.number(), state_->temporary, state_->target);
    state_->temporary.clear();
  }
  state_->close();
}

void write_output(const OutputTarget& target, std::string_view content) {
  OutputFile file(target);
  file.stream() << content;
  file.publish();
}

void write_output(const fs::path& path, std::string_view content) {
  write_output(find_output(path), content);
}

}  // namespace moescope
