#include "readers/model/config_key.h"

#include <nlohmann/json.hpp>

#include "readers/text/name_list.h"
#include "readers/text/quoted_text.h"

namespace moescope {

std::string note_on_unknown_keys(const std::vector<ConfigKey>& keys) {
  std::vector<std::string> unknown;
  for (const ConfigKey& key : keys) {
    if (key.use == KeyUse::unknown) unknown.push_back(key_words(key));
  }
  if (unknown.empty()) return {};
  return std::string("config.json: not followed, for moescope does not know ") +
         (unknown.size() == 1 ? "it: " : "them: ") + name_list(unknown);
}

std::string key_words(const ConfigKey& key) {
  const std::string quoted = nlohmann::json(key.name).dump();  // control characters are escaped
  return shortened(quoted.substr(1, quoted.size() - 2), 100) + "=" + shortened(key.value, 40);
}

}  // namespace moescope
