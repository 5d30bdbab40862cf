#pragma once
/// The configuration of a model from the metadata of its GGUF file, in the words of config.json: so that each
/// family's own reader reads and checks it.
/// Source: conversion/ and gguf-py/gguf/constants.py of llama.cpp.

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "readers/model/family.h"
#include "readers/storage/gguf.h"

namespace moescope {

/// Empty where the file has no tensor of the name.
using FindTensor = std::function<const TensorInfo*(std::string_view name)>;

/// The elements of an F32 tensor that was found.
using ReadTensor = std::function<std::vector<float>(const TensorInfo& tensor)>;

/// The text of a config.json. Some of it is told by tensors: the vocabulary by the embedding's rows, whether
/// there are biases, norms and a head by whether they are stored, Llama 3's rotary embedding by its factors.
/// Throws FormatError (metadata that are missing or of a wrong type) and UnsupportedModel (an architecture of
/// none of the families, a scaling of rotary embeddings of another kind, weights that the converter has taken
/// apart). `file` names the source.
std::string gguf_config_json(const GgufMetadata& metadata, const FindTensor& find, const ReadTensor& read,
                             const std::string& file, std::span<const Family> families);

/// The text without the keys that its family's reader, which made `config` of it, has not asked for:
/// gguf_config_json() writes what any family may. They leave config.keys, too.
std::string asked_for(const std::string& config_json, ModelConfig& config);

/// Throws UnsupportedModel where the metadata tell of something that the family's reader does not follow:
/// `config` is what it made of gguf_config_json().
void require_as_told(const GgufMetadata& metadata, const ModelConfig& config, const std::string& file);

/// What a file should tell and does not, so that the model may have been another: one note each.
std::vector<std::string> notes_on_untold(const GgufMetadata& metadata, const ModelConfig& config,
                                         const std::string& file);

}  // namespace moescope
