#include "readers/model/routing_scheme.h"

namespace moescope {

std::string_view score_function_name(ScoreFunction function) {
  return function == ScoreFunction::sigmoid ? "sigmoid" : "softmax";
}

}  // namespace moescope
