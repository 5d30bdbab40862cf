#pragma once
/// What lies in the place of a file that should hold something else. It is told before a file is called
/// invalid.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace moescope {

struct ForeignContent {
  std::string what;  // in words that follow the file's name: "is a Git LFS pointer, not the file itself"
  std::string hint;  // may be empty
};

/// How much of a file's beginning foreign_content() looks at.
inline constexpr std::uint64_t foreign_content_bytes = 512;

/// What a file of `bytes` bytes is that begins with `begin`, where JSON or weights were expected. Empty where
/// the beginning tells nothing. Thread-safe.
std::optional<ForeignContent> foreign_content(std::string_view begin, std::uint64_t bytes);

/// The pointer that Git LFS leaves in place of a file.
std::optional<ForeignContent> lfs_pointer(std::string_view begin);
/// Text in UTF-16 or UTF-32, by its byte order mark or its zeros.
std::optional<ForeignContent> wide_text(std::string_view begin);
/// Whether a text begins with a tag, given in small letters ("<html"), in letters of either case.
bool begins_with_tag(std::string_view text, std::string_view tag);

/// Throws FormatError if `begin` tells what the file is instead.
void refuse_foreign_content(std::string_view begin, std::uint64_t bytes, const std::string& file);

}  // namespace moescope
