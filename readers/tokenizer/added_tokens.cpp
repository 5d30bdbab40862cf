#include "readers/tokenizer/added_tokens.h"

namespace moescope {

void AddedTokens::insert(std::string_view content, std::uint32_t id) {
  begins_[static_cast<unsigned char>(content.front())] = true;
  std::size_t node = 0;
  for (const char character : content) {
    const auto [edge, is_new] =
        nodes_[node].next.try_emplace(static_cast<unsigned char>(character), nodes_.size());
    node = edge->second;
    if (is_new) nodes_.emplace_back();
  }
  nodes_[node].id = id;
}

AddedTokens::Match AddedTokens::longest_at(std::string_view text, std::size_t start) const {
  Match longest;
  if (!begins_[static_cast<unsigned char>(text[start])]) return longest;
  std::size_t node = 0;
  for (std::size_t i = start; i < text.size(); ++i) {
    const auto edge = nodes_[node].next.find(static_cast<unsigned char>(text[i]));
    if (edge == nodes_[node].next.end()) break;
    node = edge->second;
    if (nodes_[node].id) longest = {*nodes_[node].id, i + 1 - start};
  }
  return longest;
}

void AddedTokens::split(
    std::string_view text,
    const std::function<void(std::string_view, std::optional<std::uint32_t>)>& take) const {
  std::size_t begin = 0;  // of the part that is not cut yet
  for (std::size_t i = 0; i < text.size();) {
    const Match match = longest_at(text, i);
    if (match.length == 0) {
      ++i;
      continue;
    }
    if (begin < i) take(text.substr(begin, i - begin), std::nullopt);
    take(text.substr(i, match.length), match.id);
    begin = i += match.length;
  }
  if (begin < text.size()) take(text.substr(begin), std::nullopt);
}

}  // namespace moescope
