#include "analysis/runs/run_identity.h"

#include <algorithm>

#include "analysis/runs/checkpoint_change.h"
#include "readers/errors.h"
#include "readers/files/sha256.h"
#include "readers/recorded/attribute_text.h"
#include "readers/schema/datasets.h"

namespace moescope {
namespace {

std::string attribute_of(const ScopeField& field) {
  return std::string("identity_") + field.name;
}

/// As it was written; "" where it was not.
std::string recorded_text(const RunFile& run, const ScopeField& field) {
  return attribute_text(run, dataset::status_group, attribute_of(field));
}

std::string quoted_or_none(const std::string& value) {
  return value.empty() ? "none" : "'" + value + "'";
}

/// The first checkpoint that is not the one recorded; empty if all are.
std::string checkpoint_difference(const RunFile& run, const RunSubject& subject) {
  const std::vector<std::string> recorded = run.read(dataset::checkpoint);
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

std::string checkpoints_digest(const RunSubject& subject) {
  Sha256 digest;
  for (const RunCheckpoint& checkpoint : subject.checkpoints)
    digest.update(checkpoint.entry.name + " " + checkpoint.fingerprint + "\n");
  return digest.hex();
}

void write_scope(RunFile& run, const AnalysisScope& scope) {
  for (const ScopeField& field : scope_fields())
    run.set_attribute(dataset::status_group, attribute_of(field), field.text(scope));
}

AnalysisScope read_scope(const RunFile& run) {
  AnalysisScope scope;
  for (const ScopeField& field : scope_fields()) {
    const std::string text = recorded_text(run, field);
    if (field.parse(text, scope)) continue;
    throw FormatError(run.path().string(), dataset::status_group,
                      attribute_of(field) + " is not of the form " + field.form + " (found '" + text + "')");
  }
  return scope;
}

std::string identity_difference(const RunFile& run, const AnalysisScope& scope, const RunSubject& subject) {
  for (const ScopeField& field : scope_fields()) {
    const std::string before = recorded_text(run, field), now = field.text(scope);
    if (before == now) continue;
    if (const std::string change = checkpoint_difference(run, subject); !change.empty()) return change;
    if (field.difference != nullptr) return field.difference;
    return std::string(field.name) + ": recorded " + quoted_or_none(before) + ", now " + quoted_or_none(now);
  }
  return checkpoint_difference(run, subject);
}

std::string identity_digest(const AnalysisScope& scope) {
  Sha256 digest;
  for (const ScopeField& field : scope_fields())
    digest.update(std::string(field.name) + " " + field.text(scope) + "\n");
  return digest.hex();
}

bool is_same_scope(const AnalysisScope& a, const AnalysisScope& b) {
  return std::ranges::all_of(scope_fields(),
                             [&](const ScopeField& field) { return field.text(a) == field.text(b); });
}

}  // namespace moescope
