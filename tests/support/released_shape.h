#pragma once
/// The configurations of released models, to be written with random weights, whole or cut.

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace moescope {

/// "dots1, olmoe, …"
std::string shape_names();

/// The released config.json: the keys that describe the model. Throws UsageError where there is no such
/// shape.
nlohmann::ordered_json released_shape(const std::string& name);

/// Sets a size, by ModelConfig's name for it, under the family's own. The end of text stays inside the
/// vocabulary, and keys and values that have as many heads as queries keep as many. Returns false, and
/// changes nothing, where the shape has no such size.
bool resize(nlohmann::ordered_json& config, std::string_view field, std::int64_t value);

}  // namespace moescope
