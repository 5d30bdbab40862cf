#include "readers/errors.h"

#include <cerrno>
#include <filesystem>
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

bool is_symbolic_link(std::string_view file) {
  std::error_code ignored;
  return std::filesystem::is_symlink(std::filesystem::symlink_status(file, ignored));
}

}  // namespace

InputError::InputError(std::string_view file, std::string_view thing, std::string_view problem,
                       std::string_view hint)
    : std::runtime_error(join(file, thing, problem)), hint_(hint) {}

MissingInput::MissingInput(std::string_view file)
    : FormatError(file, {},
                  is_symbolic_link(file) ? "is a symbolic link to what does not exist" : "does not exist") {}

void throw_errno(std::string_view file, std::string_view action) {
  const int code = errno;
  throw std::system_error(code, std::generic_category(), join(file, {}, action));
}

}  // namespace moescope
