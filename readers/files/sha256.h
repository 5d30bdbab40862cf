#pragma once
/// SHA-256 of bytes that come in pieces.

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace moescope {

/// Pieces may be cut anywhere: only their concatenation counts. Not thread-safe.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;

  void update(std::span<const std::byte> bytes);
  void update(std::string_view text);
  /// 64 lower-case hexadecimal digits of everything so far. More may follow.
  std::string hex() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Of one piece.
std::string sha256_hex(std::string_view text);

}  // namespace moescope
