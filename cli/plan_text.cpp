#include "cli/plan_text.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "analysis/runs/run_identity.h"
#include "cli/terminal.h"

namespace moescope {
namespace {

using Align = Table::Align;
using Json = nlohmann::ordered_json;

std::string bytes_in_words(std::uint64_t bytes) {
  return format_bytes(static_cast<double>(bytes));
}

std::string seconds_in_words(double seconds) {
  return std::isnan(seconds) ? "unknown" : format_duration(seconds);
}

/// As scripts know it.
const char* part_name(ForwardPart part) {
  switch (part) {
    case ForwardPart::embedding:
      return "embedding";
    case ForwardPart::dense_layer:
      return "dense_layer";
    case ForwardPart::moe_layer:
      return "moe_layer";
    case ForwardPart::head:
      return "head";
  }
  return "";
}

const char* part_in_words(ForwardPart part) {
  if (part == ForwardPart::dense_layer) return "dense layer";
  return part == ForwardPart::moe_layer ? "MoE layer" : part_name(part);
}

/// All parts of a kind, of which there are `count`.
struct KindCost {
  Cost cost;
  std::uint64_t count = 0;
};

KindCost cost_of_kind(const RunPlan& plan, ForwardPart kind) {
  KindCost sum;
  for (const PartCost& part : plan.parts) {
    if (part.part != kind) continue;
    sum.cost += part.cost;
    ++sum.count;
  }
  return sum;
}

std::string part_table(const RunPlan& plan) {
  Table table({{"part"},
               {"count", Align::right},
               {"bytes each", Align::right},
               {"bytes", Align::right},
               {"FLOP", Align::right},
               {"share", Align::right}});
  const Cost total = total_cost(plan.parts);
  const auto add = [&](const char* name, const KindCost& kind) {
    const bool computes = kind.cost.flops > 0;
    table.add({name, std::to_string(kind.count), bytes_in_words(kind.cost.weight_bytes / kind.count),
               bytes_in_words(kind.cost.weight_bytes), computes ? format_flops(kind.cost.flops) : "-",
               computes ? format_percent(kind.cost.flops / total.flops) : "-"});
  };
  for (ForwardPart kind :
       {ForwardPart::embedding, ForwardPart::dense_layer, ForwardPart::moe_layer, ForwardPart::head}) {
    const KindCost sum = cost_of_kind(plan, kind);
    if (sum.count > 0) add(part_in_words(kind), sum);
  }
  table.add({"one checkpoint", "", "", bytes_in_words(total.weight_bytes),
             total.flops > 0 ? format_flops(total.flops) : "-", ""});
  return table.text();
}

std::string checkpoint_table(const RunPlan& plan) {
  Table table({{"checkpoint"},
               {"tokens seen", Align::right},
               {"weights", Align::right},
               {"forward pass", Align::right},
               {"FLOP", Align::right},
               {"time", Align::right},
               {""}});
  for (const CheckpointPlan& checkpoint : plan.checkpoints) {
    const bool forward = checkpoint.forward.passes > 0;
    table.add({checkpoint.name,
               std::isnan(checkpoint.tokens_seen) ? "-" : format_count(checkpoint.tokens_seen),
               bytes_in_words(checkpoint.bytes), forward ? bytes_in_words(checkpoint.forward.bytes) : "-",
               forward ? format_flops(checkpoint.forward.flops) : "-",
               forward ? format_duration(checkpoint.forward.seconds) : "-",
               checkpoint.stored ? "" : "not there yet"});
  }
  return table.text();
}

std::string work_table(const RunPlan& plan) {
  Table table({{"work"},
               {"passes", Align::right},
               {"bytes", Align::right},
               {"FLOP", Align::right},
               {"reading", Align::right},
               {"computing", Align::right},
               {"time", Align::right},
               {"limited by"}});
  const auto add = [&](const char* name, const WorkPlan& work) {
    if (work.passes == 0) return;
    table.add({name, std::to_string(work.passes), bytes_in_words(work.bytes),
               work.flops > 0 ? format_flops(work.flops) : "-", seconds_in_words(work.read_seconds),
               format_duration(work.compute_seconds), format_duration(work.seconds),
               work.is_limited_by_reading() ? "reading" : "computing"});
  };
  add("forward passes", plan.forward);
  add("weight pass", plan.weights);
  add("spectra", plan.spectra);
  return table.text();
}

std::string origin(bool measured) {
  return measured ? " (measured)" : " (given)";
}

std::string products_in_words(const RunPlan& plan) {
  std::string text = format_flops(plan.rates.flops) + "/s";
  if (plan.rates.routed_flops != plan.rates.flops) {
    text += ", " + format_flops(plan.rates.routed_flops) + "/s with the tokens of one expert";
  }
  return text + origin(plan.measured_computing);
}

std::string reading_in_words(const RunPlan& plan) {
  if (std::isnan(plan.rates.bytes)) return "unknown";
  return format_bytes(plan.rates.bytes) + "/s" + origin(plan.measured_reading);
}

std::string file_in_words(const RunPlan& plan) {
  const std::string size = bytes_in_words(plan.run_file_bytes);
  return plan.free_bytes ? size + ", " + bytes_in_words(*plan.free_bytes) + " free" : size;
}

std::string spectra_in_words(const RunPlan& plan) {
  return std::string(spectra_choice_name(plan.spectra_choice)) + ": " +
         plural(plan.spectra_matrices, "matrix", "matrices");
}

std::string fact_table(const RunPlan& plan) {
  Table facts({{""}, {""}});
  if (plan.tokens > 0) {
    facts.add({"texts", plural(plan.tokens, "token") + " in " + plural(plan.sequences, "sequence") + " of " +
                            std::to_string(plan.longest_sequence) + " at most"});
    facts.add({"arithmetic", precision_name(plan.precision) + ", " + plural(plan.threads, "thread")});
  }
  if (plan.tokens > 0) facts.add({"products", products_in_words(plan)});
  facts.add({"reading", reading_in_words(plan)});
  if (plan.weights.passes > 0) facts.add({"spectra", spectra_in_words(plan)});
  facts.add({"memory", format_memory(static_cast<double>(plan.peak_memory)) + " of a budget of " +
                           format_memory(static_cast<double>(plan.memory_budget))});
  facts.add({"run file", file_in_words(plan)});
  facts.add({"time", "about " + format_duration(plan.seconds)});
  return facts.text();
}

/// Whole where it is exact.
Json operations(double flops) {
  return flops < 9007199254740992.0 ? Json(static_cast<std::uint64_t>(flops)) : Json(flops);
}

Json work_json(const WorkPlan& work) {
  return {{"passes", work.passes},
          {"bytes", work.bytes},
          {"flops", operations(work.flops)},
          {"read_seconds", work.read_seconds},
          {"compute_seconds", work.compute_seconds},
          {"seconds", work.seconds}};
}

Json part_json(const PartCost& part) {
  Json json = {{"part", part_name(part.part)}, {"layer", nullptr}};
  if (part.layer >= 0) json["layer"] = part.layer;
  json["bytes"] = part.cost.weight_bytes;
  json["flops"] = operations(part.cost.flops);
  json["attention_flops"] = operations(part.cost.attention_flops);
  json["routed_expert_flops"] = operations(part.cost.routed_flops);
  return json;
}

Json checkpoint_json(const CheckpointPlan& checkpoint) {
  return {{"name", checkpoint.name},
          {"tokens_seen", checkpoint.tokens_seen},
          {"stored", checkpoint.stored},
          {"bytes", checkpoint.bytes},
          {"forward", checkpoint.forward.passes > 0 ? work_json(checkpoint.forward) : Json()}};
}

Json rates_json(const RunPlan& plan) {
  const auto known = [](double rate) { return rate > 0 ? Json(rate) : Json(); };
  return {{"flops_per_second", known(plan.rates.flops)},
          {"routed_expert_flops_per_second", known(plan.rates.routed_flops)},
          {"weight_pass_elements_per_second", known(plan.rates.weight_pass_elements)},
          {"spectra_flops_per_second", known(plan.rates.spectra_flops)},
          {"bytes_per_second", known(plan.rates.bytes)},
          {"computing_measured", plan.measured_computing},
          {"reading_measured", plan.measured_reading}};
}

}  // namespace

std::string text_of(const RunPlan& plan) {
  const std::string name = plan.checkpoints.size() == 1 ? plan.checkpoints.front().name
                                                        : plural(plan.checkpoints.size(), "checkpoint");
  return bold(name) + ": " + plan.config.model_type + ", " +
         format_count(static_cast<double>(plan.parameters.total)) + " parameters, of which " +
         format_count(static_cast<double>(plan.parameters.active)) + " active per token\n\n" +
         part_table(plan) + "\n" + (plan.checkpoints.size() > 1 ? checkpoint_table(plan) + "\n" : "") +
         work_table(plan) + "\n" + fact_table(plan);
}

nlohmann::ordered_json json_of(const RunPlan& plan) {
  Json json = {{"kind", "plan"},
               {"model_type", plan.config.model_type},
               {"parameters", plan.parameters.total},
               {"active_parameters", plan.parameters.active},
               {"tokens", plan.tokens},
               {"sequences", plan.sequences},
               {"longest_sequence", plan.longest_sequence},
               {"precision", precision_name(plan.precision)},
               {"threads", plan.threads},
               {"seconds", plan.seconds},
               {"peak_memory_bytes", plan.peak_memory},
               {"memory_budget_bytes", plan.memory_budget},
               {"run_file_bytes", plan.run_file_bytes},
               {"free_bytes", plan.free_bytes ? Json(*plan.free_bytes) : Json()}};
  json["forward"] = plan.forward.passes > 0 ? work_json(plan.forward) : Json();
  json["weights"] = plan.weights.passes > 0 ? work_json(plan.weights) : Json();
  json["spectra"] = plan.spectra.passes > 0 ? work_json(plan.spectra) : Json();
  json["spectra_choice"] = spectra_choice_name(plan.spectra_choice);
  json["spectra_matrices"] = plan.spectra_matrices;
  json["rates"] = rates_json(plan);
  json["checkpoints"] = Json::array();
  for (const CheckpointPlan& checkpoint : plan.checkpoints)
    json["checkpoints"].push_back(checkpoint_json(checkpoint));
  json["parts"] = Json::array();
  for (const PartCost& part : plan.parts) json["parts"].push_back(part_json(part));
  json["notes"] = plan.notes;
  return json;
}

}  // namespace moescope
