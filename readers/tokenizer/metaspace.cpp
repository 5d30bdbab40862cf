#include "readers/tokenizer/metaspace.h"

#include <algorithm>

namespace moescope {
namespace {

// Bytes of the space or metaspace that `text` begins with; 0 when there is none.
std::size_t space_length(std::string_view text) {
  if (text.starts_with(' ')) return 1;
  return text.starts_with(metaspace) ? metaspace.size() : 0;
}

}  // namespace

bool begins_with_space(std::string_view text) {
  return space_length(text) > 0;
}

std::optional<NormalizedText> with_spaces(std::string_view utf8, bool prepends) {
  NormalizedText normalized;
  if (prepends && !utf8.empty()) {
    normalized.text = " ";
    normalized.changes.push_back({0, 1, 0, 0});
  }
  std::size_t copied = 0;  // bytes of utf8
  for (auto at = utf8.find(metaspace); at != std::string_view::npos; at = utf8.find(metaspace, copied)) {
    normalized.text += utf8.substr(copied, at - copied);
    copied = at + metaspace.size();
    const std::size_t start = normalized.text.size();
    normalized.text += ' ';
    normalized.changes.push_back({start, start + 1, at, copied});
  }
  if (normalized.changes.empty()) return std::nullopt;
  normalized.text += utf8.substr(copied);
  return normalized;
}

void split_at_spaces(std::string_view utf8, SpaceSplit split,
                     const std::function<void(std::string_view)>& take) {
  std::size_t begin = 0;  // of the pre-token
  bool after_space = true;
  for (std::size_t i = 0; i < utf8.size();) {
    const std::size_t space = space_length(utf8.substr(i));
    const bool is_start =
        space > 0 && (split == SpaceSplit::every_space || (split == SpaceSplit::words && !after_space));
    if (is_start && begin < i) {
      take(utf8.substr(begin, i - begin));
      begin = i;
    }
    after_space = space > 0;
    i += std::max<std::size_t>(space, 1);
  }
  if (begin < utf8.size()) take(utf8.substr(begin));
}

}  // namespace moescope
