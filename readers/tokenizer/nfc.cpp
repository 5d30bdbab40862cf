#include "readers/tokenizer/nfc.h"

#include <unicode/bytestream.h>
#include <unicode/edits.h>
#include <unicode/normalizer2.h>
#include <unicode/uniset.h>
#include <unicode/utf8.h>

#include <algorithm>
#include <new>
#include <stdexcept>

namespace moescope {
namespace {

void require(UErrorCode code) {
  if (code == U_MEMORY_ALLOCATION_ERROR) throw std::bad_alloc();
  if (U_FAILURE(code)) throw std::runtime_error(std::string("cannot normalize text: ") + u_errorName(code));
}

// Frozen sets are thread-safe and faster.
icu::UnicodeSet characters_of_unicode_9() {
  UErrorCode code = U_ZERO_ERROR;
  icu::UnicodeSet set(icu::UnicodeString(u"[:Age=9.0:]"), code);
  require(code);
  set.freeze();
  return set;
}

const icu::Normalizer2& nfc_of_newest_unicode() {
  UErrorCode code = U_ZERO_ERROR;
  const icu::Normalizer2* normalizer = icu::Normalizer2::getNFCInstance(code);
  require(code);
  return *normalizer;
}

// No character below U+0300, the first combining mark, takes part in a composition without one. In UTF-8 all
// others begin with a byte of 0xCC or more.
bool is_plain(std::string_view utf8) {
  return std::all_of(utf8.begin(), utf8.end(), [](char c) { return static_cast<unsigned char>(c) < 0xCC; });
}

bool is_character_start(char byte) {
  return (static_cast<unsigned char>(byte) & 0xC0) != 0x80;
}

// Bytes of whole characters at the beginning that two texts have in common.
std::size_t common_start(std::string_view a, std::string_view b) {
  const auto [end_a, end_b] = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
  auto length = static_cast<std::size_t>(end_a - a.begin());
  while (length > 0 && length < a.size() && !is_character_start(a[length])) --length;
  while (length > 0 && length < b.size() && !is_character_start(b[length])) --length;
  return length;
}

// The same at the end.
std::size_t common_end(std::string_view a, std::string_view b) {
  const auto [end_a, end_b] = std::mismatch(a.rbegin(), a.rend(), b.rbegin(), b.rend());
  auto length = static_cast<std::size_t>(end_a - a.rbegin());
  while (length > 0 && !is_character_start(a[a.size() - length])) --length;
  return length;
}

// Takes off the characters at both ends that stay as they are: ICU reports more than it changes.
void narrow(TextChange& change, std::string_view normalized, std::string_view original) {
  normalized = normalized.substr(change.normalized_start, change.normalized_end - change.normalized_start);
  original = original.substr(change.original_start, change.original_end - change.original_start);
  const std::size_t start = common_start(normalized, original);
  const std::size_t end = common_end(normalized.substr(start), original.substr(start));
  change.normalized_start += start;
  change.original_start += start;
  change.normalized_end -= end;
  change.original_end -= end;
}

std::vector<TextChange> changes_of(const icu::Edits& edits) {
  std::vector<TextChange> changes;
  UErrorCode code = U_ZERO_ERROR;
  for (auto edit = edits.getFineChangesIterator(); edit.next(code);) {
    const auto normalized_start = static_cast<std::size_t>(edit.destinationIndex());
    const auto original_start = static_cast<std::size_t>(edit.sourceIndex());
    changes.push_back({normalized_start, normalized_start + static_cast<std::size_t>(edit.newLength()),
                       original_start, original_start + static_cast<std::size_t>(edit.oldLength())});
  }
  require(code);
  return changes;
}

/// A mark and its canonical combining class.
struct Mark {
  std::uint8_t combining_class;
  UChar32 character;
};

/// Puts long runs of marks in canonical order by a sort. ICU inserts one after the other, which takes the
/// square of their number. A few characters are two marks in one, hence the decomposition.
class MarkOrder {
 public:
  MarkOrder(std::string_view utf8, const icu::Normalizer2& normalizer)
      : utf8_(utf8), normalizer_(normalizer) {}

  /// Empty if no long run is out of order. The result is canonically equivalent, not normalized.
  std::optional<NormalizedText> run() {
    std::size_t position = 0;
    while (position < utf8_.size()) {
      const std::size_t start = position;
      marks_.clear();
      while (position < utf8_.size() && take_mark(position)) {
      }
      if (marks_.size() > short_run) order(start, position);
      if (position == start) next_character(position);
    }
    if (ordered_.changes.empty()) return std::nullopt;
    ordered_.text += utf8_.substr(copied_);
    return std::move(ordered_);
  }

 private:
  static constexpr std::size_t short_run = 64;  // marks that are inserted as fast

  UChar32 next_character(std::size_t& position) const {
    UChar32 character = 0;
    std::int32_t length = 0;
    const auto rest = static_cast<std::int32_t>(std::min<std::size_t>(utf8_.size() - position, 4));
    U8_NEXT(utf8_.data() + position, length, rest, character);
    position += static_cast<std::size_t>(length);
    return character;
  }

  // False, and nothing happens, if the character at `position` is no mark.
  bool take_mark(std::size_t& position) {
    if (static_cast<unsigned char>(utf8_[position]) < 0xCC) return false;
    std::size_t next = position;
    const UChar32 character = next_character(next);
    if (normalizer_.hasBoundaryBefore(character)) return false;
    icu::UnicodeString parts(character);
    normalizer_.getDecomposition(character, parts);
    if (normalizer_.getCombiningClass(parts.char32At(0)) == 0) return false;
    for (std::int32_t i = 0; i < parts.length(); i = parts.moveIndex32(i, 1))
      marks_.push_back({normalizer_.getCombiningClass(parts.char32At(i)), parts.char32At(i)});
    position = next;
    return true;
  }

  void order(std::size_t start, std::size_t end) {
    const auto less = [](const Mark& a, const Mark& b) { return a.combining_class < b.combining_class; };
    if (std::is_sorted(marks_.begin(), marks_.end(), less)) return;
    std::stable_sort(marks_.begin(), marks_.end(), less);
    ordered_.text += utf8_.substr(copied_, start - copied_);
    copied_ = end;
    const std::size_t ordered_start = ordered_.text.size();
    for (const Mark& mark : marks_) icu::UnicodeString(mark.character).toUTF8String(ordered_.text);
    ordered_.changes.push_back({ordered_start, ordered_.text.size(), start, end});
  }

  std::string_view utf8_;
  const icu::Normalizer2& normalizer_;
  std::vector<Mark> marks_;
  NormalizedText ordered_;
  std::size_t copied_ = 0;  // bytes of utf8_ that are in ordered_
};

/// The changes of two steps, one after the other, as changes of both together: what overlaps becomes one.
std::vector<TextChange> joined(const std::vector<TextChange>& first, const std::vector<TextChange>& second) {
  std::vector<TextChange> changes;
  std::size_t original = 0,
              normalized = 0;  // bytes by which the text between the steps is shorter than either
  for (std::size_t i = 0, j = 0; i < first.size() || j < second.size();) {
    // In the text between the steps.
    const std::size_t begin = std::min(i < first.size() ? first[i].normalized_start : std::string::npos,
                                       j < second.size() ? second[j].original_start : std::string::npos);
    std::size_t end = begin;
    const auto overlaps = [&](std::size_t start) { return start == begin || start < end; };
    changes.push_back({begin + normalized, 0, begin + original, 0});  // wraps around where it is longer
    while (true) {
      if (i < first.size() && overlaps(first[i].normalized_start)) {
        end = std::max(end, first[i].normalized_end);
        original = first[i].original_end - first[i].normalized_end;
        ++i;
      } else if (j < second.size() && overlaps(second[j].original_start)) {
        end = std::max(end, second[j].original_end);
        normalized = second[j].normalized_end - second[j].original_end;
        ++j;
      } else {
        break;
      }
    }
    changes.back().normalized_end = end + normalized;
    changes.back().original_end = end + original;
  }
  return changes;
}

}  // namespace

struct NfcNormalizer::Tables {
  icu::UnicodeSet characters = characters_of_unicode_9();
  icu::FilteredNormalizer2 normalizer{nfc_of_newest_unicode(), characters};
};

NfcNormalizer::NfcNormalizer() : tables_(std::make_unique<Tables>()) {}
NfcNormalizer::~NfcNormalizer() = default;
NfcNormalizer::NfcNormalizer(NfcNormalizer&&) noexcept = default;
NfcNormalizer& NfcNormalizer::operator=(NfcNormalizer&&) noexcept = default;

std::optional<NormalizedText> NfcNormalizer::normalize(std::string_view utf8) const {
  if (is_plain(utf8)) return std::nullopt;
  // First, because ICU, too, puts marks in order before it says that they are not.
  const std::optional<NormalizedText> ordered = MarkOrder(utf8, tables_->normalizer).run();
  const std::string_view text = ordered ? std::string_view(ordered->text) : utf8;
  const icu::StringPiece piece(text.data(), static_cast<std::int32_t>(text.size()));
  UErrorCode code = U_ZERO_ERROR;
  if (!ordered && tables_->normalizer.isNormalizedUTF8(piece, code) && U_SUCCESS(code)) return std::nullopt;

  NormalizedText normalized;
  icu::Edits edits;
  icu::StringByteSink<std::string> sink(&normalized.text, static_cast<std::int32_t>(text.size()));
  tables_->normalizer.normalizeUTF8(0, piece, sink, &edits, code);
  require(code);
  normalized.changes = joined(ordered ? ordered->changes : std::vector<TextChange>(), changes_of(edits));
  for (TextChange& change : normalized.changes) narrow(change, normalized.text, utf8);
  return normalized;
}

}  // namespace moescope
