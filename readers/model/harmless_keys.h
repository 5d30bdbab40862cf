#pragma once
/// The keys of config.json that change nothing in a forward pass, in whatever model they stand.

#include <string_view>

namespace moescope {

/// Whether a key that no family asks for is known to have no effect. Inside an object, "A.B". Pure.
bool is_harmless_key(std::string_view name);

/// The same of an argument of a Megatron-LM run. There are hundreds, nearly all of training: unknown is one
/// whose name speaks of a part of the model and that is not listed. Pure.
bool is_harmless_argument(std::string_view name);

}  // namespace moescope
