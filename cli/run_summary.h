#pragma once
/// What a run file holds and how far it is, for `inspect`.

#include <cstdint>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <utility>
#include <vector>

#include "readers/run_file/run_file.h"

namespace moescope {

/// How much of something is finished.
struct Finished {
  std::uint64_t done = 0, all = 0;
};

struct RunSummary {
  std::string path;
  std::uint64_t bytes = 0;
  std::string format_version, version, created, command_line;
  std::string model_type, precision;  // precision: empty without a forward pass
  std::uint64_t layers = 0, moe_layers = 0, experts = 0, experts_per_token = 0, parameters = 0;  // 0: unknown

  struct Checkpoint {
    std::string name;
    double tokens = 0, step = 0;  // NaN where unknown
    std::string phase;
    bool forward = false, weights = false, spectra = false;  // finished
  };
  std::vector<Checkpoint> checkpoints;
  std::vector<std::pair<std::string, std::int64_t>> domains;  // and their tokens
  std::vector<std::string> passes;                            // "forward", "weights"
  std::string part;                                           // "2/8"; empty: the whole
  std::string saved;                                          // on request; empty: nothing
  std::string spectra;  // of which matrices: "sample"; empty without weights
  bool sketches = false;
  std::map<std::string, Finished> finished;  // "forward passes", "tensors", "pairs of checkpoints", "spectra"
  bool complete = false;
  struct Group {
    std::uint64_t datasets = 0, bytes = 0;
  };
  std::map<std::string, Group> groups;  // by path; what lies at the root is not in any
  std::vector<std::string> notes;       // warnings first
};

/// Throws FormatError when the file contradicts itself, std::system_error.
RunSummary summarize(const RunFile& run);

/// For people.
std::string text_of(const RunSummary& summary);
/// For scripts: sizes in bytes.
nlohmann::ordered_json json_of(const RunSummary& summary);

}  // namespace moescope
