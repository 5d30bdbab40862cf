#include "readers/nfc.h"

#include <unicode/bytestream.h>
#include <unicode/edits.h>
#include <unicode/normalizer2.h>
#include <unicode/uniset.h>

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
void narrow(NfcChange& change, std::string_view normalized, std::string_view original) {
  normalized = normalized.substr(change.normalized_start, change.normalized_end - change.normalized_start);
  original = original.substr(change.original_start, change.original_end - change.original_start);
  const std::size_t start = common_start(normalized, original);
  const std::size_t end = common_end(normalized.substr(start), original.substr(start));
  change.normalized_start += start;
  change.original_start += start;
  change.normalized_end -= end;
  change.original_end -= end;
}

std::vector<NfcChange> changes_of(const icu::Edits& edits, std::string_view normalized,
                                  std::string_view original) {
  std::vector<NfcChange> changes;
  UErrorCode code = U_ZERO_ERROR;
  for (auto edit = edits.getFineChangesIterator(); edit.next(code);) {
    const auto normalized_start = static_cast<std::size_t>(edit.destinationIndex());
    const auto original_start = static_cast<std::size_t>(edit.sourceIndex());
    changes.push_back({normalized_start, normalized_start + static_cast<std::size_t>(edit.newLength()),
                       original_start, original_start + static_cast<std::size_t>(edit.oldLength())});
    narrow(changes.back(), normalized, original);
  }
  require(code);
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
  UErrorCode code = U_ZERO_ERROR;
  const icu::StringPiece source(utf8.data(), static_cast<std::int32_t>(utf8.size()));
  if (tables_->normalizer.isNormalizedUTF8(source, code) && U_SUCCESS(code)) return std::nullopt;

  NormalizedText normalized;
  icu::Edits edits;
  icu::StringByteSink<std::string> sink(&normalized.text, source.length());
  tables_->normalizer.normalizeUTF8(0, source, sink, &edits, code);
  require(code);
  normalized.changes = changes_of(edits, normalized.text, utf8);
  return normalized;
}

std::size_t OriginalOffsets::at(std::size_t position) {
  while (next_ < changes_.size() && changes_[next_].normalized_end <= position) ++next_;
  if (next_ < changes_.size() && changes_[next_].normalized_start <= position)
    return changes_[next_].original_start;
  if (next_ == 0) return position;
  const NfcChange& last = changes_[next_ - 1];
  return last.original_end + (position - last.normalized_end);
}

}  // namespace moescope
