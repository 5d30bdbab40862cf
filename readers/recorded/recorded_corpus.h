#pragma once
/// The evaluation tokens of a run file, as a corpus again.

#include "readers/corpus/corpus.h"
#include "readers/run_file/run_file.h"

namespace moescope {

/// What /corpus holds. Throws FormatError when it contradicts itself or is not there.
Corpus read_recorded_corpus(const RunFile& run);

}  // namespace moescope
