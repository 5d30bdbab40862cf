#include "readers/model/family.h"

#include <stdexcept>

namespace moescope {

const Family& family_of(const ModelConfig& config) {
  if (config.family == nullptr) throw std::logic_error("a configuration that no family has read");
  return *config.family;
}

}  // namespace moescope
