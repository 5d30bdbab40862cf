#include "readers/model/document_keys.h"

#include <nlohmann/json.hpp>
#include <string>

#include "readers/model/harmless_keys.h"

namespace moescope {
namespace {

using nlohmann::json;

KeyUse use_of(const std::string& name, const json& value, const KeyUses& uses) {
  if (const auto asked = uses.find(name); asked != uses.end()) return asked->second;
  return value.is_null() || is_harmless_key(name) ? KeyUse::without_effect : KeyUse::unknown;
}

/// Whether anything inside was asked for.
bool was_looked_into(const std::string& name, const KeyUses& uses) {
  const auto first = uses.lower_bound(name + ".");
  return first != uses.end() && first->first.starts_with(name + ".");
}

void add_keys(const json& object, const std::string& prefix, const KeyUses& uses,
              std::vector<ConfigKey>& keys) {
  for (const auto& [key, value] : object.items()) {
    const std::string name = prefix + key;
    if (value.is_object() && !value.empty() && was_looked_into(name, uses)) {
      add_keys(value, name + ".", uses, keys);
    } else {
      keys.push_back(
          {name, value.dump(-1, ' ', false, json::error_handler_t::replace), use_of(name, value, uses)});
    }
  }
}

}  // namespace

std::vector<ConfigKey> config_keys(const json& document, const KeyUses& uses) {
  std::vector<ConfigKey> keys;
  add_keys(document, {}, uses, keys);
  return keys;
}

}  // namespace moescope
