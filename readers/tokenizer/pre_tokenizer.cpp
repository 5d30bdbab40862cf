#include "readers/tokenizer/pre_tokenizer.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <cassert>
#include <cstdint>
#include <limits>
#include <new>
#include <stdexcept>

#include "readers/tokenizer/metaspace.h"
#include "readers/tokenizer/split_patterns.h"

namespace moescope {
namespace {

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

/// One split pattern.
class Splitter {
 public:
  explicit Splitter(std::string_view regex)
      : code_(compile(pcre2_regex(regex))),
        context_(make_context()),
        covers_text_(find_split_pattern(regex)->covers_text) {}

  /// Calls `take` with the matches and with what lies between them, in order.
  void split(std::string_view utf8, const std::function<void(std::string_view)>& take) const {
    const Pcre2Pointer<pcre2_match_data> data(pcre2_match_data_create(1, nullptr));
    if (!data) throw std::bad_alloc();
    const PCRE2_SIZE* bounds = pcre2_get_ovector_pointer(data.get());
    std::size_t start = 0;
    while (start < utf8.size() && match(utf8, start, data.get())) {
      assert(bounds[1] > bounds[0] && (bounds[0] == start || !covers_text_));
      if (bounds[0] > start) take(utf8.substr(start, bounds[0] - start));
      take(utf8.substr(bounds[0], bounds[1] - bounds[0]));
      start = bounds[1];
    }
    if (start < utf8.size()) take(utf8.substr(start));
  }

 private:
  // The bounds of the match are then in `data`.
  bool match(std::string_view text, std::size_t start, pcre2_match_data* data) const {
    const auto run = [&](std::uint32_t options) {
      return pcre2_match(code_.get(), reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), start,
                         PCRE2_NO_UTF_CHECK | options, data, context_.get());
    };
    int result = run(0);
    if (result == PCRE2_ERROR_JIT_STACKLIMIT) result = run(PCRE2_NO_JIT);
    if (result == PCRE2_ERROR_NOMATCH) return false;
    if (result < 0) throw_pcre2_error(result);
    return true;
  }

  Pcre2Pointer<pcre2_code> code_;
  Pcre2Pointer<pcre2_match_context> context_;
  bool covers_text_;
};

}  // namespace

struct PreTokenizer::Steps {
  std::vector<Splitter> splitters;
  SpaceSplit space_split;

  // Lets all splitters from `first` on split.
  void split(std::string_view utf8, std::size_t first,
             const std::function<void(std::string_view)>& take) const {
    if (first == splitters.size()) {
      take(utf8);
    } else {
      splitters[first].split(utf8, [&](std::string_view part) { split(part, first + 1, take); });
    }
  }
};

PreTokenizer::PreTokenizer(const std::vector<std::string>& regexes, SpaceSplit space_split) {
  auto steps = std::make_unique<Steps>();
  for (const std::string& regex : regexes) steps->splitters.emplace_back(regex);
  steps->space_split = space_split;
  steps_ = std::move(steps);
}
PreTokenizer::~PreTokenizer() = default;
PreTokenizer::PreTokenizer(PreTokenizer&&) noexcept = default;
PreTokenizer& PreTokenizer::operator=(PreTokenizer&&) noexcept = default;

void PreTokenizer::split(std::string_view utf8, const std::function<void(std::string_view)>& take) const {
  if (utf8.empty()) return;
  if (steps_->space_split != SpaceSplit::nowhere) {
    split_at_spaces(utf8, steps_->space_split, take);
  } else {
    steps_->split(utf8, 0, take);
  }
}

}  // namespace moescope
