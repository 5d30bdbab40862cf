#include "readers/schema/run_schema.h"

#include <algorithm>
#include <stdexcept>
#include <vector>

#include "readers/schema/run_schema_parts.h"

namespace moescope {
namespace {

constexpr const char* corpus_source = "The files given to --corpus.";
constexpr const char* measured =
    "Measured in this run, on this machine: other runs on the same inputs have other values.";

const Needs routing = {&RunContents::forward, &RunContents::moe_layers},
            routing_with_bias = {&RunContents::forward, &RunContents::moe_layers,
                                 &RunContents::correction_bias},
            saved_router_logits = {&RunContents::forward, &RunContents::moe_layers,
                                   &RunContents::router_logits},
            saved_hidden_states = {&RunContents::forward, &RunContents::hidden_states},
            saved_logits = {&RunContents::forward, &RunContents::logits},
            chosen_matrices = {&RunContents::weights, &RunContents::spectra};

std::string deepseek_v3(const char* equation) {
  return std::string("DeepSeek-V3, arXiv 2412.19437, ") + equation;
}

Rows checkpoint_datasets() {
  const std::vector<std::string> per_checkpoint = {"checkpoint"};
  return rows(
      always, Joining::made_anew,
      {
          row(dataset::tokens_seen, per_checkpoint, "tokens", "Training tokens",
              "Tokens the model had been trained on. NaN where neither the series file nor the name tells.",
              "The series file, else the checkpoint's name."),
          row(dataset::step, per_checkpoint, "steps", "Training step",
              "Optimizer steps taken. NaN where neither the series file nor the name tells.",
              "The series file, else the checkpoint's name."),
          row(dataset::phase, per_checkpoint, pure_number, "Training phase",
              "Phase of training, e.g. warmup, stable or anneal. Empty where unknown.", "The series file."),
          row(dataset::checkpoint_info_config_json, per_checkpoint, pure_number, "Configuration",
              "The text of config.json as it was read, or of Megatron-LM's args.json; of a GGUF file, the one "
              "that its metadata amount to. The attribute stored_head is there where it calls the head tied, "
              "but a stored head of other values was used.",
              "config.json of each checkpoint, or what is in its place."),
          row(dataset::checkpoint_info_fingerprint, per_checkpoint, pure_number, "Fingerprint",
              "SHA-256, hexadecimal, over config.json, the index, the names, sizes and headers of all shards "
              "and samples of every tensor (up to 64 KiB whole, of larger ones 256 bytes in the middle of "
              "every 16 MiB): it changes when the checkpoint does, without all of its data having been read.",
              "Computed by moescope."),
          row(dataset::checkpoint_info_file_stamps, per_checkpoint, pure_number, "File stamps",
              "Of each shard one line: its bytes, the time of its last change in nanoseconds since 1970, its "
              "inode and its name. They tell that a file in its place has been written to since, even where "
              "no sample of it differs.",
              "The file system."),
          row(dataset::checkpoint_info_path, per_checkpoint, pure_number, "Path",
              "Directory from which the checkpoint was read.", "The command line or the series file."),
      });
}

Rows corpus_datasets() {
  const std::vector<std::string> per_token = {"token"};
  return rows(a_forward_pass, Joining::made_anew,
              {
                  row(dataset::corpus_token_id, per_token, pure_number, "Token id",
                      "The evaluation tokens, sequence after sequence, in the order in which all per-token "
                      "datasets hold them.",
                      corpus_source),
                  row(dataset::corpus_document, per_token, pure_number, "Document",
                      "Running number, over the whole corpus, of the document a token belongs to, from 0.",
                      corpus_source),
                  row(dataset::corpus_position, per_token, pure_number, "Position",
                      "Position of a token within its sequence: 0 marks the start of a sequence. A long "
                      "document is several sequences; no sequence crosses a document.",
                      corpus_source),
                  row(dataset::corpus_domain, per_token, pure_number, "Domain index",
                      "Index into the dimension domain of the domain a token belongs to.", corpus_source),
                  row(dataset::corpus_text_offset, per_token, "bytes", "Text offset",
                      "Where a token begins in the UTF-8 text of its document. -1 where the corpus was given "
                      "as token ids.",
                      corpus_source),
              });
}

/// Whether u1 holds all expert ids is told by the number of experts.
DatasetRow expert_index(DatasetRow index) {
  index.narrow = ElementType::u1;
  return index;
}

Rows routing_datasets() {
  const std::vector<std::string> per_token = {"checkpoint", "moe_layer", "token"};
  const std::vector<std::string> per_choice = {"checkpoint", "moe_layer", "token", "rank"};
  return rows(
      routing, Joining::of_passes,
      {
          expert_index(
              row(dataset::routing_topk_index, per_choice, pure_number, "Chosen experts",
                  "The experts each token was sent to, best first by selection score c = s + b (s: the "
                  "expert's score, b: its score correction bias); of equal scores the lower index comes "
                  "first. Where a router logit or a selection score of a token is not finite, it chose "
                  "nothing: the largest number of the type, 255 or 65535, stands K times.",
                  deepseek_v3("eq. 16"))),
          row(dataset::routing_topk_weight, per_choice, pure_number, "Combine weights",
              "The factors by which the outputs of the chosen experts are multiplied before they are added, "
              "in the order of topk_index: normalised and scaled as the configuration says. NaN where a "
              "token chose nothing.",
              deepseek_v3("eq. 13")),
          row(dataset::routing_entropy, per_token, "nat", "Router entropy",
              "-sum pi ln pi of the router distribution pi over all E experts: softmax(z) for softmax "
              "routers and s_e / sum_j s_j with s = sigmoid(z) for sigmoid routers, z being the router "
              "logits. The score correction bias has no part in pi. 0: one expert has it all; ln E: all are "
              "alike. NaN where a token chose nothing.",
              deepseek_v3("eq. 19") + " (the distribution)"),
          row(dataset::routing_margin, per_token, pure_number, "Routing margin",
              "Selection score of the last expert chosen minus that of the first one not chosen (ranks K and "
              "K+1): where it is small, rounding decides. NaN where no further expert could have been "
              "chosen, or a token chose nothing.",
              own_definition),
          row(dataset::routing_topk_mass, per_token, pure_number, "Mass on the chosen experts",
              "Share of the router distribution that lies on the K chosen experts; K/E for an indifferent "
              "router. NaN where a token chose nothing.",
              deepseek_v3("eq. 19") + " (the distribution)"),
          row(dataset::routing_top1_share, per_token, pure_number, "Share of the first expert",
              "Largest combine weight of a token divided by the sum of its K combine weights. NaN where it "
              "chose nothing.",
              own_definition),
          row(dataset::routing_topk_weight_entropy, per_token, pure_number, "Entropy of the combine weights",
              "Entropy of the K combine weights, normalised to sum 1, divided by ln K. 1: the chosen experts "
              "count alike. NaN where K is 1, or a token chose nothing.",
              own_definition),
      });
}

Rows biased_routing() {
  return rows(
      routing_with_bias, Joining::of_passes,
      {row(
          dataset::routing_bias_flips, {"checkpoint", "moe_layer", "token"}, "experts",
          "Choices due to the bias",
          "How many of the K chosen experts would not be chosen without the score correction bias, the "
          "choice of groups included. 255 where a token chose nothing. Only where the model has such a bias.",
          "Wang et al., arXiv 2408.15664 (the bias)")});
}

Rows routing_counts() {
  return joined({rows(routing, Joining::of_passes,
                      {row(dataset::routing_expert_count, {"checkpoint", "domain", "moe_layer", "expert"},
                           "tokens", "Expert count",
                           "Number of tokens of a domain that were sent to an expert. Over the experts of a "
                           "layer it sums to K times token_count - nonfinite_count.",
                           "dots.llm1, arXiv 2506.05767, eq. 1 (the numerator)"),
                       row(dataset::routing_nonfinite_count, {"checkpoint", "domain", "moe_layer"}, "tokens",
                           "Tokens without a choice",
                           "Number of tokens of a domain of which a router logit or a selection score is not "
                           "finite: no order of the experts means anything there, so they choose none, and "
                           "no metric of routing counts them.",
                           own_definition)}),
                 rows(a_forward_pass, Joining::made_anew,
                      {row(dataset::routing_token_count, {"domain"}, "tokens", "Token count",
                           "Number of evaluation tokens of a domain.", corpus_source)})});
}

Rows saved_routing() {
  return rows(saved_router_logits, Joining::of_passes,
              {row(dataset::routing_router_logit, {"checkpoint", "moe_layer", "token", "expert"}, pure_number,
                   "Router logits",
                   "The router's output z = W x, in float32, before any sigmoid, softmax or bias. Only with "
                   "--save router_logits.",
                   deepseek_v3("eq. 15") + " (before the sigmoid)")});
}

/// The rest of what a forward pass leaves; states and logits on request only.
Rows forward_datasets() {
  return joined(
      {rows(a_forward_pass, Joining::of_passes,
            {row(dataset::loss_nll, {"checkpoint", "token"}, "nat", "Loss",
                 "-ln p of the token that follows in the same sequence. NaN for the last token of each "
                 "sequence, which has no successor; or where it is not finite, see nonfinite_count.",
                 "Cross-entropy"),
             row(dataset::loss_nonfinite_count, {"checkpoint", "domain"}, "tokens",
                 "Losses that are not finite",
                 "Number of tokens of a domain that have a successor, and whose loss is NaN or infinite. "
                 "Where there is any, the loss of the domain is NaN: the mean of the others would be the "
                 "loss of another text.",
                 own_definition)}),
       rows(saved_hidden_states, Joining::of_passes,
            {row(dataset::hidden_hidden_state, {"checkpoint", "layer", "token", "hidden_unit"}, pure_number,
                 "Hidden state",
                 "Output of each decoder layer, residual included, before the final norm. Only with --save "
                 "hidden_states.",
                 "The forward pass")}),
       rows(saved_logits, Joining::of_passes,
            {row(dataset::logits_logit, {"checkpoint", "token", "vocabulary"}, pure_number, "Logits",
                 "Output of the language-model head for the token that follows. Only with --save logits.",
                 "The forward pass")})});
}

/// What the passes cost: the one group whose values depend on the machine and the day.
Rows measurements() {
  const std::vector<std::string> per_part = {"checkpoint", "pass_part"}, per_checkpoint = {"checkpoint"};
  return joined(
      {rows(a_forward_pass, Joining::cost_of_passes,
            {row(dataset::io_read_bytes, per_part, "bytes", "Bytes read",
                 "Bytes of weights that the forward pass took, once for each batch of sequences; of the "
                 "embedding the rows of the batch's tokens. 0 where there is no forward pass yet.",
                 measured),
             row(dataset::io_read_seconds, per_part, "s", "Reading",
                 "Time that reading these bytes took, in the thread that reads ahead. NaN where there is no "
                 "forward pass yet.",
                 measured),
             row(dataset::io_wait_seconds, per_part, "s", "Waiting",
                 "Time that computing waited for weights: the reading that computing did not hide. NaN where "
                 "there is no forward pass yet.",
                 measured),
             row(dataset::io_compute_seconds, per_part, "s", "Computing",
                 "Time from a part's first weight to its end without wait_seconds: arithmetic, and recording "
                 "what came out. NaN where there is no forward pass yet.",
                 measured),
             row(dataset::io_flops, per_part, "FLOP", "Floating-point operations",
                 "Operations of all matrix products and of attention, two for each multiply-add: a whole "
                 "number that follows from the configuration and the lengths of the sequences. NaN where "
                 "there is no forward pass yet.",
                 own_definition),
             row(dataset::io_wall_seconds, per_checkpoint, "s", "Time of the forward pass",
                 "From the start of a checkpoint's forward pass to its end. NaN where there is none yet.",
                 measured),
             row(dataset::io_overlap_efficiency, per_checkpoint, pure_number, "Overlap efficiency",
                 "max(sum read_seconds, sum compute_seconds) / wall_seconds: 1 when the pass took no longer "
                 "than the slower of reading and computing alone. NaN where there is no forward pass yet.",
                 own_definition)}),
       rows(a_weight_pass, Joining::cost_of_weights,
            {row(dataset::io_weight_pass_bytes, per_checkpoint, "bytes", "Bytes of the weight pass",
                 "Bytes of weights that the weight pass read of each checkpoint. 0 where there is no weight "
                 "pass yet.",
                 measured),
             row(dataset::io_weight_pass_seconds, per_checkpoint, "s", "Time of the weight pass",
                 "From the start of the weight pass to its end. It reads all checkpoints side by side, so "
                 "that those of one pass have the same value. NaN where there is no weight pass yet.",
                 measured)}),
       rows(chosen_matrices, Joining::cost_of_weights,
            {row(dataset::io_spectra_bytes, per_checkpoint, "bytes", "Bytes read for spectra",
                 "Bytes of the matrices of each checkpoint whose spectra were measured, after the weight "
                 "pass. 0 where that is not finished.",
                 measured),
             row(dataset::io_spectra_seconds, per_checkpoint, "s", "Time of spectra",
                 "Time that the spectra of all checkpoints took together: the same value for each. Of an "
                 "analysis that was interrupted among them, the time of the last run. NaN where they are not "
                 "finished.",
                 measured)})});
}

DatasetRow reserved(DatasetRow texts, std::uint64_t bytes) {
  texts.text_bytes = bytes;
  return texts;
}

Rows note_datasets() {
  return rows(always, Joining::made_anew,
              {
                  reserved(row(dataset::notes, {"note"}, pure_number, "Notes",
                               "What the user was told of the inputs and the numbers while the run was made, "
                               "with --quiet too. Where a note begins with warning, numbers are in doubt. "
                               "Empty rows are reserved for what is still to come.",
                               "moescope analyze"),
                           note_bytes),
              });
}

Rows status_datasets() {
  const std::vector<std::string> per_checkpoint = {"checkpoint"};
  return joined(
      {rows(always, Joining::made_anew,
            {row(dataset::status_forward, per_checkpoint, pure_number, "Forward pass finished",
                 "1 once the checkpoint's forward pass is completely recorded, else 0.", "moescope analyze"),
             row(dataset::status_weights, per_checkpoint, pure_number, "Weight pass finished",
                 "1 once what the weight pass tells of the checkpoint alone is recorded, else 0.",
                 "moescope analyze")}),
       rows(a_weight_pass, Joining::made_anew,
            {row(dataset::status_tensor_done, {"tensor"}, pure_number, "Tensor finished",
                 "1 once the weight pass has recorded the tensor at all checkpoints, else 0: of a run that "
                 "is a part, the tensors of that part.",
                 "moescope analyze"),
             row(dataset::status_pair_done, {"checkpoint", "other_checkpoint"}, pure_number,
                 "Pair of checkpoints finished",
                 "1 once the weights of both checkpoints have been compared with each other, read side by "
                 "side; else 0, as where one was deleted before the other came.",
                 "moescope analyze")}),
       rows(always, Joining::made_anew,
            {row(dataset::status_spectra, per_checkpoint, pure_number, "Spectra finished",
                 "1 once the spectra of all chosen matrices are recorded, else 0; 0 also where none were "
                 "asked for.",
                 "moescope analyze")})});
}

}  // namespace

std::span<const SchemaSection> schema_sections() {
  static const std::vector<SchemaSection> sections = {
      {"Dimensions", scale_datasets()},
      {"Checkpoints", checkpoint_datasets()},
      {"Tensors", tensor_datasets()},
      {"Evaluation tokens", corpus_datasets()},
      {"Routing", joined({routing_datasets(), biased_routing(), routing_counts(), saved_routing()})},
      {"Loss, hidden states, logits", forward_datasets()},
      {"Weights", weight_datasets()},
      {"Spectra", spectra_datasets()},
      {"Routers", router_weight_datasets()},
      {"Measurements of the run", measurements()},
      {"Notes", note_datasets()},
      {"Status", status_datasets()},
  };
  return sections;
}

std::span<const DatasetRow> raw_datasets() {
  static const Rows datasets = [] {
    Rows all;
    for (const SchemaSection& section : schema_sections())
      all.insert(all.end(), section.rows.begin(), section.rows.end());
    return all;
  }();
  return datasets;
}

const DatasetRow& raw_dataset(std::string_view path) {
  const auto datasets = raw_datasets();
  const auto found = std::ranges::find(datasets, path, &DatasetSpec::path);
  if (found == datasets.end()) throw std::out_of_range(std::string(path) + ": is no part of the raw record");
  return *found;
}

std::span<const BareDimension> bare_dimensions() {
  static constexpr BareDimension dimensions[] = {
      {"token", "T", "evaluation tokens, described by /corpus"},
      {"rank", "K", "a token's chosen experts, best first"},
      {"hidden_unit", "H", "components of a hidden state"},
      {"vocabulary", "V", "token ids"},
      {"magnitude", "32768", "BF16 bit patterns without the sign, which order like the magnitudes"},
      {"sketch_element", "1024", "the numbers of a sketch"},
      {"checkpoint_step", "C-1", "the update from one checkpoint to the next"},
      {"other_checkpoint_step", "C-1", "the same, as a second axis"},
      {"note", "3C+9 or more", "notes of a run"},
  };
  return dimensions;
}

ElementType expert_index_type(std::uint64_t experts) {
  return experts <= 255 ? ElementType::u1 : ElementType::u2;
}

}  // namespace moescope
