#include "cli/config_keys_text.h"

#include <nlohmann/json.hpp>

#include "cli/terminal.h"
#include "readers/text/name_list.h"

namespace moescope {
namespace {

struct UseWords {
  KeyUse use;
  const char* in_json;
  const char* heading;
};

constexpr UseWords uses[] = {{KeyUse::followed, "followed", "  followed      "},
                             {KeyUse::checked, "checked", "  checked       "},
                             {KeyUse::without_effect, "without_effect", "  no effect     "},
                             {KeyUse::unknown, "unknown", "  not followed  "}};

/// Up to the last dot, with it: "rope_scaling."
std::string parent_of(const std::string& name) {
  return name.substr(0, name.rfind('.') + 1);
}

/// With their values, but for those that have no effect. Neighbours inside one object name it once:
/// "rope_scaling.factor=32.0, .truncate=false".
std::string words_of(const std::vector<ConfigKey>& keys, KeyUse use) {
  std::vector<std::string> words;
  std::string before;
  for (const ConfigKey& key : keys) {
    if (key.use != use) continue;
    const std::string parent = parent_of(key.name);
    const bool repeats = !parent.empty() && parent == before;
    const std::string text = use == KeyUse::without_effect ? key.name : key_words(key);
    words.push_back(repeats ? text.substr(parent.size() - 1) : text);
    before = parent;
  }
  return name_list(words, words.size());
}

}  // namespace

std::string keys_text(const std::vector<ConfigKey>& keys) {
  std::string text = "  configuration: what is followed, what must be as it is, and the rest\n";
  for (const auto& [use, in_json, heading] : uses) {
    const std::string words = words_of(keys, use);
    if (words.empty()) continue;
    const std::size_t indent = display_width(heading);
    const std::string line = heading + wrapped(words, indent, terminal_width(Stream::out)) + "\n";
    text += use == KeyUse::unknown ? bold(line) : line;
  }
  return text;
}

nlohmann::ordered_json keys_json(const std::vector<ConfigKey>& keys) {
  nlohmann::ordered_json json;
  for (const auto& [use, in_json, heading] : uses) {
    json[in_json] = nlohmann::ordered_json::object();
    for (const ConfigKey& key : keys) {
      if (key.use == use) json[in_json][key.name] = nlohmann::ordered_json::parse(key.value);
    }
  }
  return json;
}

}  // namespace moescope
