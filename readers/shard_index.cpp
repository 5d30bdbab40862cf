#include "readers/shard_index.h"

#include <algorithm>
#include <set>

#include "readers/errors.h"
#include "readers/strict_json.h"

namespace moescope {
namespace {

using nlohmann::json;

// The name itself stays inside the directory; the file may well be a symbolic link to elsewhere.
void require_plain_name(const std::string& name, const std::string& file) {
  const bool control = std::any_of(name.begin(), name.end(), [](unsigned char c) { return c < 0x20; });
  if (!name.empty() && !control && name.find_first_of("/\\") == std::string::npos &&
      name.find("..") == std::string::npos) {
    return;
  }
  throw FormatError(file, "shard " + single_quoted(name), "is not the plain name of a file beside the index");
}

std::map<std::string, std::string> read_weight_map(const JsonObject& object) {
  const json& map = object.at("weight_map");
  if (!map.is_object()) object.fail("weight_map", "expected a JSON object, found " + excerpt(map));
  if (map.empty()) object.fail("weight_map", "names no tensor");
  std::map<std::string, std::string> shard_of;
  for (const auto& [tensor, shard] : map.items()) {
    if (!shard.is_string()) object.fail("weight_map", "expected names of files, found " + excerpt(shard));
    require_plain_name(shard.get_ref<const std::string&>(), object.file());
    shard_of.emplace(tensor, shard.get<std::string>());
  }
  return shard_of;
}

// Nothing depends on it, so that any other form counts as absent.
std::optional<double> read_total_size(const JsonObject& object) {
  const json* metadata = object.find("metadata");
  if (metadata == nullptr || !metadata->is_object()) return std::nullopt;
  const auto total = metadata->find("total_size");
  return total != metadata->end() && total->is_number() ? std::optional(total->get<double>()) : std::nullopt;
}

}  // namespace

std::vector<std::string> ShardIndex::shards() const {
  std::set<std::string> names;
  for (const auto& [tensor, shard] : shard_of) names.insert(shard);
  return {names.begin(), names.end()};
}

ShardIndex parse_shard_index(std::string_view text, const std::string& file) {
  const json document = parse_strict_json(text, file);
  const JsonObject object(document, file, {});
  return {read_weight_map(object), read_total_size(object)};
}

}  // namespace moescope
