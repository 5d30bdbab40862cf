#include "readers/errors.h"

#include <cerrno>
#include <system_error>

namespace moescope {
namespace {

std::string join(std::string_view file, std::string_view thing, std::string_view problem) {
  std::string message;
  for (std::string_view part : {file, thing}) {
    if (!part.empty()) message.append(part).append(": ");
  }
  return message.append(problem);
}

}  // namespace

InputError::InputError(std::string_view file, std::string_view thing, std::string_view problem,
                       std::string_view hint)
    : std::runtime_error(join(file, thing, problem)), hint_(hint) {}

void throw_errno(std::string_view file, std::string_view action) {
  const int code = errno;
  throw std::system_error(code, std::generic_category(), join(file, {}, action));
}

}  // namespace moescope
