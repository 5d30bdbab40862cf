#pragma once
/// Whether a checkpoint is still the one that a run file is about.

#include <string>

#include "analysis/runs/run_subject.h"

namespace moescope {

/// Why `now` is not, or may not be, the checkpoint that was recorded, in words that follow its name: "has
/// changed since". Empty: it is. The contents decide, by their fingerprints, wherever they lie and however
/// old they are; but a file that lies where it lay and has been written to since may have changed where no
/// sample of it was taken.
std::string checkpoint_change(const RunCheckpoint& recorded, const RunCheckpoint& now);

}  // namespace moescope
