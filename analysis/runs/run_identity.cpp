#include "analysis/runs/run_identity.h"

#include "analysis/runs/checkpoint_change.h"
#include "readers/files/sha256.h"

namespace moescope {
namespace {

constexpr const char* prefix = "identity_";
constexpr const char* names[] = {"checkpoints", "corpus",   "part",    "passes", "precision",
                                 "saved",       "sketches", "spectra", "version"};

std::string saved_parts(const RecordOptions& save) {
  return std::string(save.router_logits ? "router_logits " : "") +
         (save.hidden_states ? "hidden_states " : "") + (save.logits ? "logits " : "");
}

std::string quoted_or_none(const std::string& value) {
  return value.empty() ? "none" : "'" + value + "'";
}

/// The first checkpoint that is not the one recorded; empty if all are.
std::string checkpoint_difference(const RunFile& run, const RunSubject& subject) {
  const std::vector<std::string> recorded = run.read<std::string>("/checkpoint");
  const RunSubject before = subject_of(run);
  if (recorded.size() != subject.checkpoints.size()) {
    return "it is of " + std::to_string(recorded.size()) + " checkpoints, this of " +
           std::to_string(subject.checkpoints.size());
  }
  for (std::size_t c = 0; c < subject.checkpoints.size(); ++c) {
    const std::string& name = subject.checkpoints[c].entry.name;
    if (recorded[c] != name)
      return "its checkpoint " + std::to_string(c + 1) + " is '" + recorded[c] + "', this one's '" + name +
             "'";
    const std::string change = checkpoint_change(before.checkpoints[c], subject.checkpoints[c]);
    if (!change.empty()) return "checkpoint '" + name + "' " + change;
  }
  return {};
}

}  // namespace

std::string precision_name(Precision precision) {
  return precision == Precision::f32 ? "f32" : "bf16";
}

std::string checkpoints_digest(const RunSubject& subject) {
  Sha256 digest;
  for (const RunCheckpoint& checkpoint : subject.checkpoints)
    digest.update(checkpoint.entry.name + " " + checkpoint.fingerprint + "\n");
  return digest.hex();
}

RunIdentity run_identity(const AnalysisOptions& options, const RunSubject& subject, const Corpus& corpus,
                         Precision precision) {
  RunIdentity identity;
  identity["checkpoints"] = checkpoints_digest(subject);
  identity["corpus"] = options.forward ? corpus.sha256 : "";
  identity["part"] = options.part.is_whole() ? "" : options.part.name();
  identity["passes"] = std::string(options.forward ? "forward " : "") + (options.weights ? "weights" : "");
  identity["precision"] = options.forward ? precision_name(precision) : "";
  identity["saved"] = saved_parts(options.save);
  identity["sketches"] = options.weights && options.sketches ? "yes" : "";
  identity["spectra"] = options.weights ? std::string(spectra_choice_name(options.spectra)) : "";
  identity["version"] = options.version;
  return identity;
}

void write_identity(RunFile& run, const RunIdentity& identity) {
  for (const auto& [name, value] : identity) run.set_attribute("/status", prefix + name, value);
}

RunIdentity read_identity(const RunFile& run) {
  RunIdentity identity;
  for (const char* name : names) {
    const auto stored = run.attribute("/status", std::string(prefix) + name);
    if (const auto* text = stored ? std::get_if<std::string>(&*stored) : nullptr) identity[name] = *text;
  }
  return identity;
}

AnalysisOptions recorded_options(const RunIdentity& identity) {
  const auto value = [&](const char* name) {
    const auto found = identity.find(name);
    return found == identity.end() ? std::string() : found->second;
  };
  const auto has = [](const std::string& text, const char* word) {
    return text.find(word) != std::string::npos;
  };
  AnalysisOptions options;
  options.forward = has(value("passes"), "forward");
  options.weights = has(value("passes"), "weights");
  const std::string saved = value("saved");
  options.save = {has(saved, "router_logits"), has(saved, "hidden_states"), has(" " + saved, " logits")};
  if (options.forward) options.precision = value("precision") == "f32" ? Precision::f32 : Precision::bf16;
  options.sketches = value("sketches") == "yes";
  options.spectra = parse_spectra_choice(value("spectra")).value_or(SpectraChoice::none);
  options.version = value("version");
  return options;
}

std::string identity_difference(const RunFile& run, const RunIdentity& identity, const RunSubject& subject) {
  const RunIdentity recorded = read_identity(run);
  for (const auto& [name, value] : identity) {
    const auto found = recorded.find(name);
    if (found != recorded.end() && found->second == value) continue;
    if (name == "checkpoints") return checkpoint_difference(run, subject);
    if (name == "corpus") return "it is of another corpus";
    const std::string before = found == recorded.end() ? "" : found->second;
    return name + ": recorded " + quoted_or_none(before) + ", now " + quoted_or_none(value);
  }
  return checkpoint_difference(run, subject);
}

std::string identity_digest(const RunIdentity& identity) {
  Sha256 digest;
  for (const auto& [name, value] : identity) digest.update(name + " " + value + "\n");
  return digest.hex();
}

}  // namespace moescope
