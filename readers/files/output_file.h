#pragma once
/// Output that is there as a whole or not at all, where it was asked for, and never in the place of an input.

#include <filesystem>
#include <memory>
#include <ostream>
#include <span>
#include <string>
#include <string_view>

namespace moescope {

/// What a path stands for that was given for output.
struct OutputTarget {
  enum class Kind {
    file,        // a regular file, or none yet: replaced as a whole
    stream,      // a pipe, a device: written through
    descriptor,  // "-" and the names of open descriptors (/dev/stdout, /dev/fd/3): written through
  };
  std::string name;  // for messages: as given, or "standard output"
  Kind kind = Kind::file;
  std::filesystem::path path;  // of a file or stream, symbolic links followed
  int descriptor = -1;

  bool is_file() const { return kind == Kind::file; }
  bool is_standard_output() const;
};

/// To be asked before anything is computed: throws UsageError for a directory, std::system_error where the
/// folder is missing, which it names, or a file cannot be replaced or made there.
OutputTarget find_output(const std::filesystem::path& given);

/// find_output() for what must be a file, because it will be read again: throws UsageError for anything else,
/// which cannot hold `what`, e.g. "a run file".
OutputTarget find_output_file(const std::filesystem::path& given, std::string_view what);

/// Whether both are one file, under whatever names. False where one of them does not exist.
bool is_same_file(const OutputTarget& output, const std::filesystem::path& other);

/// Throws UsageError when writing to `output` would destroy one of `inputs`.
void require_not_among(const OutputTarget& output, std::span<const std::filesystem::path> inputs);

/// Puts the complete file `temporary`, which lies in the same folder, in the place of `target`, a file: with
/// the mode and the owner of the file that it replaces, and on the disk before that one is gone. A crash or a
/// loss of power leaves the old file or the new one. Throws std::system_error naming `target`; `temporary` is
/// still there then.
void replace_file(const std::filesystem::path& temporary, const OutputTarget& target);

/// Output on its way. A file lies beside its target until publish(), under no name or one of its own, so that
/// any number of writers of one target each publish a whole file; without publish() it is gone and the target
/// is as it was.
class OutputFile {
 public:
  explicit OutputFile(OutputTarget target);  // throws std::system_error
  ~OutputFile();
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  /// Throws std::system_error, which names the target, when it cannot be written to.
  std::ostream& stream();
  /// To be called once, at the end. Throws std::system_error.
  void publish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// All of a file's content at once. Throws what the functions above throw.
void write_output(const OutputTarget& target, std::string_view content);
void write_output(const std::filesystem::path& path, std::string_view content);

}  // namespace moescope
