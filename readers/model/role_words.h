#pragma once
/// The groups of weights as people read them, beside their names in files (role_group_name).

#include <string>
#include <string_view>

namespace moescope {

/// "dense MLP" of "dense_mlp", "routed expert" of "routed_expert".
std::string role_words(std::string_view name);

}  // namespace moescope
