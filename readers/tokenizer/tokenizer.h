#pragma once
/// A checkpoint's own tokenizer, read from its tokenizer.json: byte-pair encoding over bytes, split by one of
/// the known patterns, or over characters with a fallback to bytes, as Llama 2 and Mixtral have it. Ids are
/// identical to those of the Hugging Face `tokenizers` library without special tokens.

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace moescope {

/// Token ids of one text, with the byte in the original text where each token begins.
struct TokenizedText {
  std::vector<std::uint32_t> ids;
  std::vector<std::uint32_t>
      offsets;  // (ids.size()) ascending; a token inside a character has the character's offset
};

/// Thread-safe.
class Tokenizer {
 public:
  /// Throws FormatError, UnsupportedModel (a normalizer, pre-tokenizer or model that is not known),
  /// std::system_error.
  static Tokenizer load(const std::filesystem::path& tokenizer_json);
  static Tokenizer parse(std::string_view json, const std::string& file);
  ~Tokenizer();
  Tokenizer(Tokenizer&&) noexcept;
  Tokenizer& operator=(Tokenizer&&) noexcept;

  /// No special token is prepended or appended, also where a template of the file would. Throws FormatError
  /// if `utf8` is not valid UTF-8.
  TokenizedText encode(std::string_view utf8) const;
  /// The bytes of the tokens, special tokens and a prefixed space included. Throws std::out_of_range for an
  /// unknown id.
  std::string decode(const std::vector<std::uint32_t>& ids) const;

  /// One more than the largest id.
  std::uint32_t vocabulary_size() const;
  /// Of the tokenizer.json it was read from, hexadecimal.
  const std::string& sha256() const;

 private:
  struct Model;
  class Encoding;
  explicit Tokenizer(std::unique_ptr<const Model> model);
  std::unique_ptr<const Model> model_;
};

}  // namespace moescope
