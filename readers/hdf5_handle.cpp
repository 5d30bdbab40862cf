#include "readers/hdf5_handle.h"

#include <cerrno>
#include <charconv>
#include <string_view>
#include <system_error>

#include "readers/errors.h"

namespace moescope {
namespace {

struct Cause {
  int error_number = 0;     // of the operating system; 0: none was involved
  std::string description;  // of the innermost function that failed
};

/// HDF5 keeps errno only inside the text of its messages: "…, errno = 28, error message = '…'".
int error_number_in(std::string_view description) {
  constexpr std::string_view label = "errno = ";
  const auto position = description.find(label);
  if (position == std::string_view::npos) return 0;
  int number = 0;
  const char* begin = description.data() + position + label.size();
  std::from_chars(begin, description.data() + description.size(), number);
  return number;
}

herr_t note_cause(unsigned depth, const H5E_error2_t* entry, void* data) {
  Cause& cause = *static_cast<Cause*>(data);
  const std::string_view description = entry->desc ? entry->desc : "";
  if (depth == 0) cause.description = description;
  if (cause.error_number == 0) cause.error_number = error_number_in(description);
  return 0;
}

Cause last_cause() {
  Cause cause;
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, note_cause, &cause);
  H5Eclear2(H5E_DEFAULT);
  return cause;
}

}  // namespace

void Hdf5Site::fail(const std::string& action) const {
  const Cause cause = last_cause();
  const std::string thing = object.empty() ? file : file + ": " + object;
  if (cause.error_number == EAGAIN) {  // the lock that HDF5 puts on an open file
    throw std::system_error(EAGAIN, std::generic_category(),
                            thing + ": " + action + ": another process has it open");
  }
  if (cause.error_number != 0) {
    throw std::system_error(cause.error_number, std::generic_category(), thing + ": " + action);
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
