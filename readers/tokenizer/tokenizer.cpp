#include "readers/tokenizer/tokenizer.h"

#include <algorithm>
#include <functional>
#include <optional>
#include <stdexcept>
#include <unordered_map>
#include <utility>

#include "readers/errors.h"
#include "readers/files/sha256.h"
#include "readers/files/source_file.h"
#include "readers/text/utf8.h"
#include "readers/tokenizer/added_tokens.h"
#include "readers/tokenizer/byte_pair_encoding.h"
#include "readers/tokenizer/metaspace.h"
#include "readers/tokenizer/nfc.h"
#include "readers/tokenizer/normalized_text.h"
#include "readers/tokenizer/pre_token_cache.h"
#include "readers/tokenizer/pre_tokenizer.h"
#include "readers/tokenizer/tokenizer_json.h"

namespace moescope {
namespace {

// Offsets are 32 bits wide, and ICU counts bytes in signed 32 bits.
constexpr std::size_t greatest_text = std::size_t{1} << 30;

void require_text(std::string_view utf8) {
  if (utf8.size() > greatest_text) {
    throw FormatError(
        {}, "text", "is too long (expected at most 1 GiB, found " + std::to_string(utf8.size()) + " bytes)");
  }
  const std::size_t invalid = first_invalid_utf8(utf8);
  if (invalid != utf8.size()) {
    throw FormatError({}, "text", "is not valid UTF-8 at byte " + std::to_string(invalid));
  }
}

// The start of the character that holds the byte at `position`.
std::size_t character_start(std::string_view utf8, std::size_t position) {
  while (position > 0 && (static_cast<unsigned char>(utf8[position]) & 0xC0) == 0x80) --position;
  return position;
}

}  // namespace

struct Tokenizer::Model {
  Model(TokenizerDefinition definition, std::string sha256_of_json);

  void insert(const AddedToken& token);
  // Empty when the text stays as it is.
  std::optional<NormalizedText> normalize(std::string_view utf8) const;

  TextSteps steps;
  PreTokenizer pre_tokenizer;
  BytePairEncoding bpe;
  NfcNormalizer nfc;
  AddedTokens raw_tokens;                                // cut out of the raw text
  AddedTokens normalized_tokens;                         // cut out of the rest, once it is normalized
  std::unordered_map<std::uint32_t, std::string> bytes;  // by id
  std::uint32_t vocabulary_size = 0;
  std::string sha256;
};

Tokenizer::Model::Model(TokenizerDefinition definition, std::string sha256_of_json)
    : steps(std::move(definition.steps)),
      pre_tokenizer(steps.split_regexes, steps.space_split),
      bpe(std::move(definition.bpe)),
      sha256(std::move(sha256_of_json)) {
  for (const AddedToken& token : definition.added_tokens) insert(token);
  bytes.reserve(definition.vocabulary.size());
  for (VocabularyEntry& entry : definition.vocabulary) {
    vocabulary_size = std::max(vocabulary_size, entry.id + 1);
    bytes.emplace(entry.id, std::move(entry.bytes));
  }
}

void Tokenizer::Model::insert(const AddedToken& token) {
  if (!token.normalized) {
    raw_tokens.insert(token.content, token.id);
  } else {
    const auto normalized = normalize(token.content);
    normalized_tokens.insert(normalized ? normalized->text : token.content, token.id);
  }
}

std::optional<NormalizedText> Tokenizer::Model::normalize(std::string_view utf8) const {
  if (steps.composes) return nfc.normalize(utf8);
  if (steps.marks_spaces) return with_spaces(utf8, steps.prepends_space);
  return std::nullopt;
}

/// One text on its way through the steps.
class Tokenizer::Encoding {
 public:
  explicit Encoding(const Model& model) : model_(model), cache_(model.bpe) {}

  TokenizedText run(std::string_view utf8) {
    model_.raw_tokens.split(utf8, [&](std::string_view part, std::optional<std::uint32_t> id) {
      const auto offset = static_cast<std::size_t>(part.data() - utf8.data());
      if (id) {
        append(*id, offset);
      } else {
        encode_raw(part, offset);
      }
    });
    return std::move(result_);
  }

 private:
  /// Position in normalized text -> offset in the whole text, for ascending positions.
  using OffsetOf = std::function<std::size_t(std::size_t)>;

  // `offset` is where `raw` begins in the whole text.
  void encode_raw(std::string_view raw, std::size_t offset) {
    const std::optional<NormalizedText> normalized = model_.normalize(raw);
    const std::vector<TextChange> no_changes;
    OriginalOffsets original(normalized ? normalized->changes : no_changes);
    const std::string_view text = normalized ? std::string_view(normalized->text) : raw;
    const OffsetOf original_offset = [&](std::size_t position) {
      return offset + original.at(character_start(text, position));
    };
    model_.normalized_tokens.split(text, [&](std::string_view part, std::optional<std::uint32_t> id) {
      const auto begin = static_cast<std::size_t>(part.data() - text.data());
      if (id) {
        append(*id, original_offset(begin));
      } else {
        encode_section(part, begin, original_offset);
      }
    });
  }

  // `begin` is where `section` begins in the normalized text.
  void encode_section(std::string_view section, std::size_t begin, const OffsetOf& offset_of) {
    if (!needs_space(section, offset_of(begin) == 0)) {
      encode_pre_tokens(section, [&](std::size_t position) { return offset_of(begin + position); });
      return;
    }
    const std::string prefixed = ' ' + std::string(section);
    encode_pre_tokens(
        prefixed, [&](std::size_t position) { return offset_of(begin + (position > 0 ? position - 1 : 0)); });
  }

  bool needs_space(std::string_view section, bool is_text_start) const {
    const PrefixSpace prefix = model_.steps.prefix_space;
    if (prefix == PrefixSpace::nowhere || (prefix == PrefixSpace::at_text_start && !is_text_start))
      return false;
    return model_.steps.is_byte_level ? !section.starts_with(' ') : !begins_with_space(section);
  }

  void encode_pre_tokens(std::string_view section, const OffsetOf& offset_of) {
    model_.pre_tokenizer.split(section, [&](std::string_view pre_token) {
      auto position = static_cast<std::size_t>(pre_token.data() - section.data());
      for (const BpeToken& token : cache_.tokens(pre_token)) {
        append(token.id, offset_of(position));
        position += token.length;
      }
    });
  }

  void append(std::uint32_t id, std::size_t offset) {
    result_.ids.push_back(id);
    result_.offsets.push_back(static_cast<std::uint32_t>(offset));
  }

  const Model& model_;
  PreTokenCache cache_;
  TokenizedText result_;
};

Tokenizer::Tokenizer(std::unique_ptr<const Model> model) : model_(std::move(model)) {}
Tokenizer::~Tokenizer() = default;
Tokenizer::Tokenizer(Tokenizer&&) noexcept = default;
Tokenizer& Tokenizer::operator=(Tokenizer&&) noexcept = default;

Tokenizer Tokenizer::load(const std::filesystem::path& tokenizer_json) {
  return parse(read_whole_file(tokenizer_json), tokenizer_json.string());
}

Tokenizer Tokenizer::parse(std::string_view json, const std::string& file) {
  return Tokenizer(std::make_unique<const Model>(parse_tokenizer_json(json, file), sha256_hex(json)));
}

TokenizedText Tokenizer::encode(std::string_view utf8) const {
  require_text(utf8);
  return Encoding(*model_).run(utf8);
}

std::string Tokenizer::decode(const std::vector<std::uint32_t>& ids) const {
  std::string text;
  for (const std::uint32_t id : ids) {
    const auto found = model_->bytes.find(id);
    if (found == model_->bytes.end())
      throw std::out_of_range("the tokenizer has no token " + std::to_string(id));
    text += found->second;
  }
  return text;
}

std::uint32_t Tokenizer::vocabulary_size() const {
  return model_->vocabulary_size;
}

const std::string& Tokenizer::sha256() const {
  return model_->sha256;
}

}  // namespace moescope
