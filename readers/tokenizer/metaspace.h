#pragma once
/// ▁ (U+2581, called metaspace), which stands for the space in vocabularies over characters. Here a text
/// keeps its spaces: either character is the same token.

#include <functional>
#include <optional>
#include <string_view>

#include "readers/tokenizer/normalized_text.h"
#include "readers/tokenizer/text_steps.h"

namespace moescope {

inline constexpr std::string_view metaspace = "\u2581";

/// Whether `text` begins with a space or a metaspace.
bool begins_with_space(std::string_view text);

/// The text with a space for every metaspace, and one more in front of it if `prepends`. Empty when that is
/// `utf8` itself.
std::optional<NormalizedText> with_spaces(std::string_view utf8, bool prepends);

/// Calls `take` with each pre-token in order; together they are the whole of `utf8`.
void split_at_spaces(std::string_view utf8, SpaceSplit split,
                     const std::function<void(std::string_view)>& take);

}  // namespace moescope
