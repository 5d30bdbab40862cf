#include "readers/recorded/recorded_corpus.h"

#include "readers/corpus/corpus_builder.h"
#include "readers/errors.h"
#include "readers/schema/datasets.h"

namespace moescope {

Corpus read_recorded_corpus(const RunFile& run) {
  Corpus corpus;
  corpus.domains = run.read(dataset::domain);
  corpus.token_id = run.read(dataset::corpus_token_id);
  corpus.document = run.read(dataset::corpus_document);
  corpus.position = run.read(dataset::corpus_position);
  corpus.domain = run.read(dataset::corpus_domain);
  corpus.text_offset = run.read(dataset::corpus_text_offset);
  const std::string file = run.path().string();
  for (std::size_t t = 0; t < corpus.tokens(); ++t) {
    const std::int32_t domain = corpus.domain[t];
    if (domain < 0 || static_cast<std::size_t>(domain) >= corpus.domains.size())
      throw FormatError(file, dataset::corpus_domain, "names a domain that is not there");
    if (corpus.position[t] == 0) corpus.sequence_start.push_back(t);
    const bool follows = t > 0 && corpus.position[t] == corpus.position[t - 1] + 1;
    if (corpus.position[t] != 0 && !follows)
      throw FormatError(file, dataset::corpus_position,
                        "does not count up (token " + std::to_string(t) + ")");
  }
  corpus.sequence_start.push_back(corpus.tokens());
  corpus.sha256 = corpus_sha256(corpus);
  const auto recorded = run.attribute("/", "corpus_sha256");
  if (recorded != AttributeValue(corpus.sha256))
    throw FormatError(file, "/corpus", "is not the corpus of which the file keeps the SHA-256");
  return corpus;
}

}  // namespace moescope
