#include "analysis/runs/merge_parts.h"

#include <algorithm>
#include <set>

#include "analysis/runs/run_identity.h"
#include "readers/corpus/corpus_builder.h"
#include "readers/errors.h"
#include "readers/recorded/recorded_corpus.h"
#include "readers/schema/datasets.h"

namespace moescope {
namespace {

namespace fs = std::filesystem;

MergePart open_part(const fs::path& path) {
  RunFile run = RunFile::open(path);
  RunSubject subject = subject_of(run);
  AnalysisScope scope = read_scope(run);
  if (scope.checkpoints.empty())
    throw FormatError(path.string(), dataset::status_group, "identity_checkpoints is missing");
  MergePart part{.run = std::move(run), .subject = std::move(subject), .scope = std::move(scope)};
  if (part.run.contains(dataset::loss_nll)) part.corpus = read_recorded_corpus(part.run);
  part.forward_done = part.run.read(dataset::status_forward);
  if (part.run.contains(dataset::status_tensor_done)) {
    part.tensor_done = part.run.read(dataset::status_tensor_done);
    part.pair_done = part.run.read(dataset::status_pair_done);
  }
  return part;
}

/// Whether both have what the field is about.
bool must_agree(const ScopeField& field, const MergePart& first, const MergePart& other) {
  switch (field.agreement) {
    case Agreement::of_all:
      return true;
    case Agreement::of_forward:
      return first.has_forward() && other.has_forward();
    case Agreement::of_weights:
      return first.has_weights() && other.has_weights();
    case Agreement::none:
      return false;
  }
  return false;
}

void require_same_field(const ScopeField& field, const MergePart& first, const MergePart& other) {
  const std::string expected = field.text(first.scope), found = field.text(other.scope);
  if (expected == found || !must_agree(field, first, other)) return;
  throw FormatError(other.file(), field.name,
                    "differs (expected '" + expected + "' as in " + first.file() + ", found '" + found + "')",
                    "only runs made with the same options can be joined");
}

/// Of runs of two versions, nothing else is told.
void require_same_scope(const MergePart& first, const MergePart& other) {
  for (const bool of_all : {true, false}) {
    for (const ScopeField& field : scope_fields()) {
      if ((field.agreement == Agreement::of_all) == of_all) require_same_field(field, first, other);
    }
  }
}

void require_same_model(const MergePart& first, const MergePart& other) {
  const bool equal = !first_difference(first.subject.weights.all(), other.subject.weights.all());
  if (!equal || first.subject.config.num_experts_per_tok != other.subject.config.num_experts_per_tok)
    throw FormatError(other.file(), {}, "is of another model than " + first.file());
}

/// All of them, once each, in training order.
RunSubject joined_subject(const std::deque<MergePart>& parts) {
  RunSubject whole{{}, parts.front().subject.config, parts.front().subject.weights};
  for (const MergePart& part : parts) {
    for (const RunCheckpoint& checkpoint : part.subject.checkpoints) {
      const std::optional<std::size_t> same = whole.find(checkpoint.entry.name);
      if (!same) {
        whole.checkpoints.push_back(checkpoint);
      } else if (whole.checkpoints[*same].fingerprint != checkpoint.fingerprint) {
        throw FormatError(
            part.file(), "checkpoint '" + checkpoint.entry.name + "'",
            "is not the one of that name in another part (their fingerprints differ)",
            whole.checkpoints[*same].file_stamps.empty() != checkpoint.file_stamps.empty()
                ? "one of the parts is of an earlier moescope, whose fingerprints hold fewer samples"
                : "");
      }
    }
  }
  sort_by_training(whole.checkpoints);
  return whole;
}

void require_new_domains(const Corpus& whole, const MergePart& part) {
  for (const std::string& domain : part.corpus->domains) {
    if (std::ranges::count(whole.domains, domain) > 0)
      throw FormatError(part.file(), "domain '" + domain + "'", "is in another part too, with other texts");
  }
}

void append(Corpus& whole, const Corpus& more) {
  const std::size_t tokens = whole.tokens();
  const auto domains = static_cast<std::int32_t>(whole.domains.size());
  const std::int32_t documents = whole.document.empty() ? 0 : *std::ranges::max_element(whole.document) + 1;
  const auto add = [](auto& to, const auto& from) { to.insert(to.end(), from.begin(), from.end()); };
  add(whole.domains, more.domains);
  add(whole.token_id, more.token_id);
  add(whole.position, more.position);
  add(whole.text_offset, more.text_offset);
  for (const std::int32_t document : more.document) whole.document.push_back(documents + document);
  for (const std::int32_t domain : more.domain) whole.domain.push_back(domains + domain);
  if (!whole.sequence_start.empty()) whole.sequence_start.pop_back();
  for (const std::size_t start : more.sequence_start) whole.sequence_start.push_back(tokens + start);
}

/// The different corpora one after the other; the same one in several parts counts once.
Corpus joined_corpus(std::deque<MergePart>& parts, std::size_t& corpora) {
  Corpus whole;
  std::vector<const MergePart*> first_with;
  for (MergePart& part : parts) {
    if (!part.has_forward()) continue;
    const auto same = std::ranges::find_if(
        first_with, [&](const MergePart* other) { return other->corpus->sha256 == part.corpus->sha256; });
    if (same != first_with.end()) {
      part.token = (*same)->token;
      part.domain = (*same)->domain;
      part.corpus_number = (*same)->corpus_number;
      continue;
    }
    require_new_domains(whole, part);
    part.token = shifted(part.corpus->tokens(), whole.tokens());
    part.domain = shifted(part.corpus->domains.size(), whole.domains.size());
    part.corpus_number = first_with.size();
    append(whole, *part.corpus);
    first_with.push_back(&part);
  }
  corpora = first_with.size();
  if (corpora > 0) whole.sha256 = corpus_sha256(whole);
  return whole;
}

Places places_of_checkpoints(const MergePart& part, const RunSubject& whole) {
  Places places;
  for (const RunCheckpoint& checkpoint : part.subject.checkpoints)
    places.push_back(whole.find(checkpoint.entry.name));
  return places;
}

/// Of an analysis that would give the whole: what the parts agree in, and the passes of all of them.
AnalysisScope joined_scope(const std::deque<MergePart>& parts, const RunSubject& whole,
                           const Corpus& corpus) {
  AnalysisScope joined;
  joined.forward = joined.weights = false;
  for (const MergePart& part : parts) {
    joined.forward = joined.forward || part.scope.forward;
    joined.weights = joined.weights || part.scope.weights;
    for (const ScopeField& field : scope_fields()) {
      const bool told = field.agreement == Agreement::of_all ||
                        (field.agreement == Agreement::of_forward && part.scope.forward) ||
                        (field.agreement == Agreement::of_weights && part.scope.weights);
      if (told) field.parse(field.text(part.scope), joined);
    }
  }
  joined.checkpoints = checkpoints_digest(whole);
  joined.corpus = corpus.sha256;
  return joined;
}

void require_single_parts(const std::deque<MergePart>& parts) {
  std::set<std::size_t> seen;
  const AnalysisPart* first = nullptr;
  for (const MergePart& part : parts) {
    const AnalysisPart& share = part.scope.part;
    if (share.is_whole()) continue;
    if (first == nullptr) first = &share;
    if (share.count != first->count)
      throw FormatError(part.file(), {},
                        "is part " + share.name() + ", another division than part " + first->name());
    if (!seen.insert(share.index).second)
      throw FormatError(part.file(), {}, "is part " + share.name() + " once more");
    if (part.scope.checkpoints != parts.front().scope.checkpoints)
      throw FormatError(part.file(), {}, "is a part of the analysis of other checkpoints");
  }
}

std::deque<MergePart> open_parts(const std::vector<fs::path>& paths) {
  std::deque<MergePart> parts;
  for (const fs::path& path : paths) {
    parts.push_back(open_part(path));
    require_same_scope(parts.front(), parts.back());
    require_same_model(parts.front(), parts.back());
  }
  require_single_parts(parts);
  return parts;
}

}  // namespace

Places shifted(std::size_t count, std::size_t first) {
  Places places;
  for (std::size_t i = 0; i < count; ++i) places.emplace_back(first + i);
  return places;
}

MergeParts open_merge_parts(const std::vector<fs::path>& paths) {
  std::deque<MergePart> parts = open_parts(paths);
  RunSubject subject = joined_subject(parts);
  for (MergePart& part : parts) part.checkpoint = places_of_checkpoints(part, subject);
  std::size_t corpora = 0;
  Corpus corpus = joined_corpus(parts, corpora);
  AnalysisScope scope = joined_scope(parts, subject, corpus);
  return {.parts = std::move(parts),
          .subject = std::move(subject),
          .corpus = std::move(corpus),
          .corpora = corpora,
          .scope = std::move(scope)};
}

}  // namespace moescope
