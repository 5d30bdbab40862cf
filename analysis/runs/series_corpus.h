#pragma once
/// The texts of a series as token ids: one stream for all of its checkpoints.

#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "analysis/runs/analysis_options.h"
#include "readers/corpus/corpus.h"
#include "readers/model/model_config.h"

namespace moescope {

/// Where a checkpoint has its tokenizer.
struct TokenizerPlace {
  std::string checkpoint;      // its name
  std::filesystem::path path;  // of its tokenizer.json; empty if it has none
};

struct SeriesCorpus {
  Corpus corpus;
  std::string tokenizer_sha256;    // of the first checkpoint's that has one; empty if none has
  std::vector<std::string> notes;  // what the user should know of texts, tokenizers and the model's context
};

/// Reads the corpus of `inputs`, holding at most `memory` bytes (0: the default), with the tokenizer of the
/// first checkpoint that has one. Where another checkpoint's file is a different one, its ids are compared
/// text by text: a run holds one stream of ids, so that a single id that differs is a FormatError which names
/// both checkpoints and the text. Tokenizers are only understood where there is text. Throws also UsageError,
/// UnsupportedModel, std::system_error.
SeriesCorpus read_series_corpus(const AnalysisInputs& inputs, std::uint64_t memory,
                                std::span<const TokenizerPlace> tokenizers, const ModelConfig& config);

/// Which checkpoints have another tokenizer than that of `sha256`, with which ids were made that are there
/// alone; empty if none has.
std::string other_tokenizers_note(std::span<const TokenizerPlace> tokenizers, const std::string& sha256);

/// Positions that the model was not made for, in words; empty if there are none.
std::string context_note(const ModelConfig& config, std::size_t longest_sequence);

}  // namespace moescope
