#include "readers/text/foreign_content.h"

#include <algorithm>
#include <cctype>

#include "readers/errors.h"

namespace moescope {
namespace {

using namespace std::string_view_literals;

constexpr const char* unfinished_hint = "an interrupted download or copy, or a full disk, leaves such files";

/// A format that is known by its first bytes.
struct Signature {
  std::string_view begin;
  const char* what;
  const char* hint;
};
constexpr Signature signatures[] = {
    {"GGUF"sv, "is a GGUF file (llama.cpp's format), which moescope does not read", ""},
    {"PK\x03\x04"sv, "is a ZIP archive, as torch.save writes one, which moescope does not read", ""},
    {"\x80\x02"sv, "is a pickle of Python, as torch.save wrote one, which moescope does not read", ""},
    {"\x89HDF\r\n"sv, "is an HDF5 file", ""},
    {"\x1F\x8B\x08"sv, "is compressed (gzip)", "decompress it first"},
    {"\x28\xB5\x2F\xFD"sv, "is compressed (Zstandard)", "decompress it first"},
    {"\xFD"
     "7zXZ"sv,
     "is compressed (xz)", "decompress it first"},
    {"\xFF\xFE\0\0"sv, "is UTF-32 text (it begins with its byte order mark), expected UTF-8",
     "iconv converts it"},
    {"\xFF\xFE"sv, "is UTF-16 text (it begins with its byte order mark), expected UTF-8",
     "iconv converts it"},
    {"\xFE\xFF"sv, "is UTF-16 text (it begins with its byte order mark), expected UTF-8",
     "iconv converts it"},
    {"# xet version"sv, "is a Xet pointer, not the file itself", "git xet, or hf download, fetches the file"},
    {"/annex/objects/"sv, "is a git-annex pointer, not the file itself", "git annex get fetches the file"},
};

// A pointer names the bytes of the file it stands for.
ForeignContent lfs_pointer(std::string_view begin) {
  constexpr std::string_view key = "\nsize ";
  const auto found = begin.find(key);
  std::string size;
  if (found != std::string_view::npos) {
    const std::string_view rest = begin.substr(found + key.size());
    size = rest.substr(0, rest.find_first_not_of("0123456789"));
  }
  return {"is a Git LFS pointer" + (size.empty() ? "" : " to " + size + " bytes") + ", not the file itself",
          "git lfs pull fetches the file"};
}

bool is_web_page(std::string_view begin) {
  const auto first = begin.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return false;
  const std::string_view text = begin.substr(first);
  return std::ranges::any_of(
      std::initializer_list<std::string_view>{"<!doctype", "<html", "<head", "<body", "<?xml"},
      [&](std::string_view tag) { return begins_with_tag(text, tag); });
}

// Without a mark: every other byte of what is plain ASCII is zero.
bool is_utf16(std::string_view begin) {
  constexpr std::size_t pairs = 2;
  if (begin.size() < 2 * pairs) return false;
  const auto plain = [&](std::size_t i) { return begin[i] > 0; };
  for (std::size_t zero : {0u, 1u}) {
    bool all = true;
    for (std::size_t i = 0; i < 2 * pairs; i += 2) all = all && begin[i + zero] == 0 && plain(i + 1 - zero);
    if (all) return true;
  }
  return false;
}

bool is_zeros(std::string_view begin) {
  constexpr std::size_t least = 16;
  return begin.size() >= least && begin.find_first_not_of('\0') == std::string_view::npos;
}

}  // namespace

bool is_lfs_pointer(std::string_view begin) {
  return begin.starts_with("version https://git-lfs.github.com/spec/");
}

bool begins_with_tag(std::string_view text, std::string_view tag) {
  return text.size() >= tag.size() && std::equal(tag.begin(), tag.end(), text.begin(), [](char a, char b) {
           return a == std::tolower(static_cast<unsigned char>(b));
         });
}

std::optional<ForeignContent> foreign_content(std::string_view begin, std::uint64_t bytes) {
  begin = begin.substr(0, foreign_content_bytes);
  if (bytes == 0) return ForeignContent{"is empty", unfinished_hint};
  if (is_lfs_pointer(begin)) return lfs_pointer(begin);
  for (const Signature& signature : signatures) {
    if (begin.starts_with(signature.begin)) return ForeignContent{signature.what, signature.hint};
  }
  if (is_web_page(begin)) {
    return ForeignContent{"is a web page (HTML or XML), not the file itself",
                          "the server answered the download with a page, perhaps one that asks to log in"};
  }
  if (is_utf16(begin)) return ForeignContent{"is UTF-16 text, expected UTF-8", "iconv converts it"};
  if (is_zeros(begin))
    return ForeignContent{"begins with zeros, as if it had not been written yet", unfinished_hint};
  return std::nullopt;
}

void refuse_foreign_content(std::string_view begin, std::uint64_t bytes, const std::string& file) {
  if (const auto foreign = foreign_content(begin, bytes))
    throw FormatError(file, {}, foreign->what, foreign->hint);
}

}  // namespace moescope
