#include "readers/model/role_words.h"

#include <algorithm>

namespace moescope {

std::string role_words(std::string_view name) {
  std::string words(name);
  std::replace(words.begin(), words.end(), '_', ' ');
  if (words.ends_with(" mlp")) words.replace(words.size() - 3, 3, "MLP");
  return words;
}

}  // namespace moescope
