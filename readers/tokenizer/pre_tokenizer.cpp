#include "readers/tokenizer/pre_tokenizer.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <cassert>
#include <cstdint>
#include <limits>
#include <new>
#include <stdexcept>

namespace moescope {
namespace {

// PCRE2 10.42 knows Unicode 14.0. The ranges are the letters and numbers that Unicode 15.0, 15.1 and 16.0
// added (DerivedGeneralCategory.txt).
constexpr std::string_view letters =
    R"(\p{L}\x{1C89}-\x{1C8A}\x{A7CB}-\x{A7CD}\x{A7DA}-\x{A7DC}\x{105C0}-\x{105F3}\x{10D4A}-\x{10D65})"
    R"(\x{10D6F}-\x{10D85}\x{10EC2}-\x{10EC4}\x{1123F}-\x{11240}\x{11380}-\x{11389}\x{1138B}\x{1138E})"
    R"(\x{11390}-\x{113B5}\x{113B7}\x{113D1}\x{113D3}\x{11BC0}-\x{11BE0}\x{11F02}\x{11F04}-\x{11F10})"
    R"(\x{11F12}-\x{11F33}\x{1342F}\x{13441}-\x{13446}\x{13460}-\x{143FA}\x{16100}-\x{1611D}\x{16D40}-\x{16D6C})"
    R"(\x{18CFF}\x{1B132}\x{1B155}\x{1DF25}-\x{1DF2A}\x{1E030}-\x{1E06D}\x{1E4D0}-\x{1E4EB}\x{1E5D0}-\x{1E5ED})"
    R"(\x{1E5F0}\x{2B739}\x{2EBF0}-\x{2EE5D}\x{31350}-\x{323AF})";
constexpr std::string_view numbers =
    R"(\p{N}\x{10D40}-\x{10D49}\x{116D0}-\x{116E3}\x{11BF0}-\x{11BF9}\x{11F50}-\x{11F59}\x{16130}-\x{16139})"
    R"(\x{16D70}-\x{16D79}\x{1CCF0}-\x{1CCF9}\x{1D2C0}-\x{1D2D3}\x{1E4F0}-\x{1E4F9}\x{1E5F1}-\x{1E5FA})";
// White_Space. Not PCRE2's \s, which also takes U+180E.
constexpr std::string_view spaces =
    R"(\t-\r\x20\x{85}\x{A0}\x{1680}\x{2000}-\x{200A}\x{2028}\x{2029}\x{202F}\x{205F}\x{3000})";

/// A pattern as tokenizer.json has it, and the same for PCRE2, with <L>, <N>, <S> where a class lists all
/// letters, numbers and white space.
struct SplitPattern {
  std::string_view regex;
  std::string_view for_pcre2;
};

constexpr SplitPattern split_patterns[] = {
    // The Qwen2 family.
    {R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
     R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n<L><N>]?[<L>]+|[<N>]| ?[^<S><L><N>]+[\r\n]*|[<S>]*[\r\n]+|[<S>]+(?![^<S>])|[<S>]+)"},
};

std::string expand(std::string_view pattern) {
  std::string expanded(pattern);
  const auto replace = [&expanded](std::string_view name, std::string_view characters) {
    for (auto at = expanded.find(name); at != std::string::npos; at = expanded.find(name, at)) {
      expanded.replace(at, name.size(), characters);
    }
  };
  replace("<L>", letters);
  replace("<N>", numbers);
  replace("<S>", spaces);
  return expanded;
}

const SplitPattern* find_split_pattern(std::string_view regex) {
  for (const SplitPattern& pattern : split_patterns) {
    if (pattern.regex == regex) return &pattern;
  }
  return nullptr;
}

struct FreePcre2 {
  void operator()(pcre2_code* code) const { pcre2_code_free(code); }
  void operator()(pcre2_match_context* context) const { pcre2_match_context_free(context); }
  void operator()(pcre2_match_data* data) const { pcre2_match_data_free(data); }
};
template <typename T>
using Pcre2Pointer = std::unique_ptr<T, FreePcre2>;

[[noreturn]] void throw_pcre2_error(int code) {
  char message[256] = "";
  pcre2_get_error_message(code, reinterpret_cast<PCRE2_UCHAR*>(message), sizeof message);
  throw std::runtime_error(std::string("cannot split text into pre-tokens: ") + message);
}

Pcre2Pointer<pcre2_code> compile(const std::string& pattern) {
  int error = 0;
  PCRE2_SIZE error_offset = 0;
  Pcre2Pointer<pcre2_code> code(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(),
                                              PCRE2_UTF | PCRE2_UCP, &error, &error_offset, nullptr));
  if (!code) throw_pcre2_error(error);
  pcre2_jit_compile(code.get(), PCRE2_JIT_COMPLETE);  // where there is no JIT, pcre2_match interprets
  return code;
}

Pcre2Pointer<pcre2_match_context> make_context() {
  Pcre2Pointer<pcre2_match_context> context(pcre2_match_context_create(nullptr));
  if (!context) throw std::bad_alloc();
  // A run of a hundred million spaces is slow, but no error.
  pcre2_set_match_limit(context.get(), std::numeric_limits<std::uint32_t>::max());
  return context;
}

}  // namespace

struct PreTokenizer::Program {
  Pcre2Pointer<pcre2_code> code;
  Pcre2Pointer<pcre2_match_context> context;

  // Throws unless there is a match; its bounds are then in `data`.
  void match(std::string_view text, std::size_t start, pcre2_match_data* data) const {
    const auto run = [&](std::uint32_t options) {
      return pcre2_match(code.get(), reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), start,
                         PCRE2_NO_UTF_CHECK | options, data, context.get());
    };
    int result = run(0);
    if (result == PCRE2_ERROR_JIT_STACKLIMIT) result = run(PCRE2_NO_JIT);
    if (result < 0) throw_pcre2_error(result);
  }
};

bool is_known_split_pattern(std::string_view regex) {
  return find_split_pattern(regex) != nullptr;
}

PreTokenizer::PreTokenizer(std::string_view regex) {
  const SplitPattern* pattern = find_split_pattern(regex);
  assert(pattern != nullptr);
  program_ = std::make_unique<Program>(Program{compile(expand(pattern->for_pcre2)), make_context()});
}
PreTokenizer::~PreTokenizer() = default;
PreTokenizer::PreTokenizer(PreTokenizer&&) noexcept = default;
PreTokenizer& PreTokenizer::operator=(PreTokenizer&&) noexcept = default;

void PreTokenizer::split(std::string_view utf8, const std::function<void(std::string_view)>& take) const {
  const Pcre2Pointer<pcre2_match_data> data(pcre2_match_data_create(1, nullptr));
  if (!data) throw std::bad_alloc();
  const PCRE2_SIZE* bounds = pcre2_get_ovector_pointer(data.get());
  // Every known pattern matches at every character, so that matches follow each other without gaps.
  for (std::size_t start = 0; start < utf8.size(); start = bounds[1]) {
    program_->match(utf8, start, data.get());
    assert(bounds[0] == start && bounds[1] > start);
    take(utf8.substr(start, bounds[1] - start));
  }
}

}  // namespace moescope
