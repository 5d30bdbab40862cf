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
    {"GGUF"sv, "is a GGUF file (llama.cpp's format)", ""},
    {"PK\x03\x04"sv, "is a ZIP archive, as torch.save writes one", ""},
    {"\x80\x02"sv,
     "is a pickle of Python, as torch.save wrote one before PyTorch 1.6, which moescope does not read",
     "a newer PyTorch writes what is read: torch.save(torch.load(FILE), NEW)"},
    {"\x89HDF\r\n"sv, "is an HDF5 file", ""},
    {"\x1F\x8B\x08"sv, "is compressed (gzip)", "decompress it first"},
    {"\x28\xB5\x2F\xFD"sv, "is compressed (Zstandard)", "decompress it first"},
    {"\xFD"
     "7zXZ"sv,
     "is compressed (xz)", "decompress it first"},
    {"# xet version"sv, "is a Xet pointer, not the file itself", "git xet, or hf download, fetches the file"},
    {"/annex/objects/"sv, "is a git-annex pointer, not the file itself", "git annex get fetches the file"},
};

bool is_web_page(std::string_view begin) {
  const auto first = begin.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return false;
  const std::string_view text = begin.substr(first);
  return std::ranges::any_of(
      std::initializer_list<std::string_view>{"<!doctype", "<html", "<head", "<body", "<?xml"},
      [&](std::string_view tag) { return begins_with_tag(text, tag); });
}

// By its byte order mark, else by the zeros that every second byte of mostly Latin text is. Empty: UTF-8,
// perhaps.
std::string wide_encoding(std::string_view begin) {
  if (begin.starts_with("\xFF\xFE\0\0"sv) || begin.starts_with("\0\0\xFE\xFF"sv)) return "UTF-32";
  if (begin.starts_with("\xFF\xFE"sv) || begin.starts_with("\xFE\xFF"sv)) return "UTF-16";
  constexpr std::size_t looked_at = 16;
  if (begin.size() < 4) return {};
  std::size_t zeros[2] = {0, 0}, count = std::min(begin.size(), looked_at) & ~std::size_t{1};
  for (std::size_t i = 0; i < count; ++i) zeros[i % 2] += begin[i] == '\0' ? 1 : 0;
  if (zeros[0] == 0 && zeros[1] == count / 2) return "UTF-16LE";
  return zeros[1] == 0 && zeros[0] == count / 2 ? "UTF-16BE" : "";
}

bool is_tar(std::string_view begin) {
  constexpr std::size_t magic = 257;
  return begin.size() > magic && begin.substr(magic).starts_with("ustar");
}

bool is_zeros(std::string_view begin) {
  constexpr std::size_t least = 16;
  return begin.size() >= least && begin.find_first_not_of('\0') == std::string_view::npos;
}

}  // namespace

std::optional<ForeignContent> wide_text(std::string_view begin) {
  const std::string encoding = wide_encoding(begin);
  if (encoding.empty()) return std::nullopt;
  return ForeignContent{"is text in " + encoding + " (expected UTF-8)",
                        "iconv -f " + encoding + " -t UTF-8 FILE > NEW makes it UTF-8"};
}

// A pointer names the bytes of the file it stands for.
std::optional<ForeignContent> lfs_pointer(std::string_view begin) {
  if (!begin.starts_with("version https://git-lfs.github.com/spec/")) return std::nullopt;
  constexpr std::string_view key = "\nsize ";
  const auto found = begin.find(key);
  std::string size;
  if (found != std::string_view::npos) {
    const std::string_view rest = begin.substr(found + key.size());
    size = rest.substr(0, rest.find_first_not_of("0123456789"));
  }
  return ForeignContent{
      "is a Git LFS pointer" + (size.empty() ? "" : " to " + size + " bytes") + ", not the file itself",
      "git lfs pull fetches the file"};
}

bool begins_with_tag(std::string_view text, std::string_view tag) {
  return text.size() >= tag.size() && std::equal(tag.begin(), tag.end(), text.begin(), [](char a, char b) {
           return a == std::tolower(static_cast<unsigned char>(b));
         });
}

std::optional<ForeignContent> foreign_content(std::string_view begin, std::uint64_t bytes) {
  begin = begin.substr(0, foreign_content_bytes);
  if (bytes == 0) return ForeignContent{"is empty", unfinished_hint};
  if (auto pointer = lfs_pointer(begin)) return pointer;
  for (const Signature& signature : signatures) {
    if (begin.starts_with(signature.begin)) return ForeignContent{signature.what, signature.hint};
  }
  if (is_tar(begin)) return ForeignContent{"is a tar archive", "unpack it first"};
  if (is_web_page(begin)) {
    return ForeignContent{"is a web page (HTML or XML), not the file itself",
                          "the server answered the download with a page, perhaps one that asks to log in"};
  }
  if (auto wide = wide_text(begin)) return wide;
  if (is_zeros(begin))
    return ForeignContent{"begins with zeros, as if it had not been written yet", unfinished_hint};
  return std::nullopt;
}

void refuse_foreign_content(std::string_view begin, std::uint64_t bytes, const std::string& file) {
  if (const auto foreign = foreign_content(begin, bytes))
    throw FormatError(file, {}, foreign->what, foreign->hint);
}

}  // namespace moescope
