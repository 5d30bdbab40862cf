#include "readers/run_file/hdf5_handle.h"

#include <cerrno>
#include <charconv>
#include <memory>
#include <new>
#include <string_view>
#include <system_error>

#include "readers/errors.h"

namespace moescope {
namespace {

struct Cause {
  int error_number = 0;        // of the operating system; 0: none was involved
  std::string remark;          // what the file driver has to say about it
  std::string description;     // of the innermost function that failed
  bool needed_memory = false;  // and got none
};

/// Failures of the operating system are "errno = 28: remark", as the file driver writes them, or HDF5's own
/// "…, errno = 28, error message = '…'".
void note_error_number(std::string_view description, Cause& cause) {
  constexpr std::string_view label = "errno = ";
  const auto position = description.find(label);
  if (position == std::string_view::npos || cause.error_number != 0) return;
  const char* const end = description.data() + description.size();
  const char* after =
      std::from_chars(description.data() + position + label.size(), end, cause.error_number).ptr;
  const std::string_view rest(after, static_cast<std::size_t>(end - after));
  if (rest.starts_with(": ")) cause.remark = rest.substr(2);
}

herr_t note_cause(unsigned depth, const H5E_error2_t* entry, void* data) {
  Cause& cause = *static_cast<Cause*>(data);
  const std::string_view description = entry->desc ? entry->desc : "";
  if (depth == 0) {
    cause.description = description;
    cause.needed_memory = entry->min_num == H5E_NOSPACE ||
                          (entry->min_num == H5E_CANTALLOC && description.find("memory") != description.npos);
  }
  note_error_number(description, cause);
  return 0;
}

Cause last_cause() {
  Cause cause;
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, note_cause, &cause);
  H5Eclear2(H5E_DEFAULT);
  return cause;
}

/// Whether memory is what HDF5 lacked. It never needs as much at once as is tried here: where this can be
/// had, a damaged file has made it ask for more than there is anywhere.
bool is_out_of_memory(const Cause& cause) {
  constexpr std::size_t plenty = std::size_t{64} << 20;
  return cause.error_number == ENOMEM ||
         (cause.needed_memory && std::unique_ptr<char[]>(new (std::nothrow) char[plenty]) == nullptr);
}

}  // namespace

void Hdf5Site::fail(const std::string& action) const {
  const Cause cause = last_cause();
  if (is_out_of_memory(cause)) throw std::bad_alloc();
  const std::string thing = object.empty() ? file : file + ": " + object;
  if (cause.error_number == EAGAIN) {  // the lock that HDF5 puts on an open file
    throw std::system_error(EAGAIN, std::generic_category(),
                            thing + ": " + action + ": another process has it open");
  }
  if (cause.error_number != 0) {
    const std::string remark = cause.remark.empty() ? "" : " (" + cause.remark + ")";
    throw std::system_error(cause.error_number, std::generic_category(), thing + ": " + action + remark);
  }
  if (writing) {
    throw std::system_error(EIO, std::generic_category(),
                            thing + ": " + action + " (" + cause.description + ")");
  }
  throw FormatError(file, object, action + ": the file is damaged or cut short (" + cause.description + ")");
}

void prepare_hdf5() {
  H5dont_atexit();
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
}

}  // namespace moescope
