#pragma once
/// Tokens that are cut out of a text as they stand, before it is tokenized.

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string_view>
#include <vector>

namespace moescope {

/// Finds the leftmost of its tokens, and of those that begin there the longest. Thread-safe once filled.
class AddedTokens {
 public:
  /// `content` is not empty.
  void insert(std::string_view content, std::uint32_t id);

  /// Calls `take` with the parts of `text` in order: an id with a token, no id with what lies between.
  void split(std::string_view text,
             const std::function<void(std::string_view, std::optional<std::uint32_t>)>& take) const;

 private:
  struct Node {
    std::map<unsigned char, std::size_t> next;  // byte -> index in nodes_
    std::optional<std::uint32_t> id;            // of the token that ends here
  };
  struct Match {
    std::uint32_t id = 0;
    std::size_t length = 0;  // 0: none
  };
  Match longest_at(std::string_view text, std::size_t start) const;

  std::vector<Node> nodes_ = {{}};
  std::array<bool, 256> begins_{};  // whether a token begins with this byte
};

}  // namespace moescope
