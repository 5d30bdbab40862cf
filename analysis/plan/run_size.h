#pragma once
/// How large a run file will be, from the rows of the schema.

#include <cstdint>
#include <string>
#include <vector>

#include "analysis/runs/run_contents.h"

namespace moescope {

/// A dataset that the run file will have.
struct PlannedDataset {
  std::string path;
  ElementType type = ElementType::f8;
  std::vector<std::uint64_t> shape;
  std::uint64_t text_bytes = 80;  // of texts, each is taken as so many

  std::uint64_t elements() const;
  std::uint64_t bytes() const;
};

/// All datasets, metrics and labelled dimensions included.
std::vector<PlannedDataset> planned_datasets(const RunContents& contents);

/// Bytes of the file: its values, all taken when it is made, and an estimate of what describes them.
std::uint64_t run_file_bytes(const RunContents& contents);

}  // namespace moescope
