#include "analysis/runs/series_corpus.h"

#include <algorithm>
#include <deque>
#include <optional>

#include "analysis/forward/forward.h"
#include "analysis/machine/memory.h"
#include "readers/checkpoint/series_order.h"
#include "readers/corpus/corpus_reader.h"
#include "readers/errors.h"
#include "readers/files/sha256.h"
#include "readers/files/source_file.h"
#include "readers/text/name_list.h"

namespace moescope {
namespace {

/// A tokenizer.json, and the checkpoints that have it, byte by byte.
struct TokenizerFile {
  std::filesystem::path path;  // of the first
  std::string sha256;
  std::vector<std::string> checkpoints;
  std::optional<Tokenizer> tokenizer;  // once there was a text
};

std::string id_or_end(const TokenizedText& text, std::size_t position) {
  return position < text.ids.size() ? std::to_string(text.ids[position]) : "the end";
}

/// All tokenizers of a series.
class SeriesTokenizers {
 public:
  explicit SeriesTokenizers(std::span<const TokenizerPlace> places);

  /// The ids that all of them give.
  TokenizedText encode(const std::string& text, const std::string& place, std::size_t most);

  std::string sha256() const { return files_.empty() ? "" : files_.front().sha256; }
  std::vector<std::string> notes() const;

 private:
  void load();
  void require_same_ids(const TokenizerFile& other, const TokenizedText& ids, const std::string& text,
                        const std::string& place, std::size_t most) const;

  std::deque<TokenizerFile> files_;   // different ones, in the order of the series
  std::vector<std::string> without_;  // checkpoints that have none
};

SeriesTokenizers::SeriesTokenizers(std::span<const TokenizerPlace> places) {
  for (const TokenizerPlace& place : places) {
    if (place.path.empty()) {
      without_.push_back(place.checkpoint);
      continue;
    }
    const std::string sha256 = sha256_hex(read_whole_file(place.path));
    const auto known = std::ranges::find(files_, sha256, &TokenizerFile::sha256);
    TokenizerFile& file =
        known != files_.end() ? *known : files_.emplace_back(TokenizerFile{place.path, sha256, {}, {}});
    file.checkpoints.push_back(place.checkpoint);
  }
}

void SeriesTokenizers::load() {
  for (TokenizerFile& file : files_)
    if (!file.tokenizer) file.tokenizer = Tokenizer::load(file.path);
}

TokenizedText SeriesTokenizers::encode(const std::string& text, const std::string& place, std::size_t most) {
  if (files_.empty()) refuse_text_without_tokenizer(place);
  load();
  TokenizedText ids = files_.front().tokenizer->encode(text);
  for (std::size_t i = 1; i < files_.size(); ++i) require_same_ids(files_[i], ids, text, place, most);
  return ids;
}

void SeriesTokenizers::require_same_ids(const TokenizerFile& other, const TokenizedText& ids,
                                        const std::string& text, const std::string& place,
                                        std::size_t most) const {
  const TokenizedText others = other.tokenizer->encode(text);
  const std::size_t expected = std::min(most, ids.ids.size()), found = std::min(most, others.ids.size());
  std::size_t position = 0;
  while (position < std::min(expected, found) && ids.ids[position] == others.ids[position]) ++position;
  if (position == expected && position == found) return;
  const std::size_t offset = position < expected ? ids.offsets[position] : others.offsets[position];
  throw FormatError(other.path.string(), {},
                    "gives other token ids than that of checkpoint '" + files_.front().checkpoints.front() +
                        "' (" + place + ": token " + std::to_string(position) + ", byte " +
                        std::to_string(offset) + " of the text: expected " + id_or_end(ids, position) +
                        ", found " + id_or_end(others, position) + ")",
                    "a run holds one stream of token ids: analyse " + quoted_names(other.checkpoints) +
                        " in a run of its own, or give token ids (.npy) that hold for all");
}

std::vector<std::string> SeriesTokenizers::notes() const {
  std::vector<std::string> notes;
  if (files_.empty()) return notes;
  const std::string first = "'" + files_.front().checkpoints.front() + "'";
  const bool compared = files_.front().tokenizer.has_value();
  for (std::size_t i = 1; i < files_.size(); ++i) {
    notes.push_back(quoted_names(files_[i].checkpoints) + ": another tokenizer.json than that of " + first +
                    (compared ? ", which gives these texts the same token ids"
                              : "; the token ids given are taken to mean the same to both"));
  }
  if (!without_.empty() && compared)
    notes.push_back(quoted_names(without_) + ": no tokenizer.json; that of " + first + " is taken");
  return notes;
}

}  // namespace

SeriesCorpus read_series_corpus(const AnalysisInputs& inputs, std::uint64_t memory,
                                std::span<const TokenizerPlace> tokenizers, const ModelConfig& config) {
  SeriesTokenizers all(tokenizers);
  const auto encode = [&all](const std::string& text, const std::string& place, std::size_t most) {
    return all.encode(text, place, most);
  };
  CorpusOptions corpus_options = inputs.corpus_options;
  const std::uint64_t budget = memory_budget(memory);
  corpus_options.memory = budget - std::min(budget, program_memory);
  SeriesCorpus result;
  result.corpus = read_corpus(inputs.corpus, corpus_options, TextEncoder(encode),
                              static_cast<std::uint32_t>(config.vocab_size));
  result.tokenizer_sha256 = all.sha256();
  result.notes = result.corpus.notes;
  for (std::string& note : all.notes()) result.notes.push_back(std::move(note));
  std::string context = context_note(config, longest_sequence(result.corpus.sequence_start));
  if (!context.empty()) result.notes.push_back(std::move(context));
  return result;
}

std::string other_tokenizers_note(std::span<const TokenizerPlace> tokenizers, const std::string& sha256) {
  std::vector<std::string> others;
  for (const TokenizerPlace& place : tokenizers) {
    if (!place.path.empty() && sha256_hex(read_whole_file(place.path)) != sha256)
      others.push_back(place.checkpoint);
  }
  if (others.empty() || sha256.empty()) return {};
  return quoted_names(others) +
         ": not the tokenizer.json with which the texts became token ids; whether it gives the same is not "
         "known";
}

std::string context_note(const ModelConfig& config, std::size_t longest_sequence) {
  const auto context = static_cast<std::size_t>(config.max_position_embeddings);
  if (longest_sequence <= context) return {};
  return "the longest sequence has " + std::to_string(longest_sequence) +
         " tokens, and the model was made for " + std::to_string(context) +
         " positions (max_position_embeddings): what is measured beyond tells little; " +
         "--sequence-length " + std::to_string(context) + " cuts texts there";
}

}  // namespace moescope
