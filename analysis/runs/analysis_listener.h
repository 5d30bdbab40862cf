#pragma once
/// Who is told what an analysis does.

#include <cstdint>
#include <string>

namespace moescope {

/// Told how far an analysis is; called on the analysing thread.
class AnalysisListener {
 public:
  virtual ~AnalysisListener() = default;
  /// `total_bytes` of weights will be read, by forward passes and the weight pass together.
  virtual void begin(std::uint64_t /*total_bytes*/) {}
  /// What is being done now, e.g. "05T: forward pass".
  virtual void stage(const std::string& /*label*/) {}
  virtual void advance(std::uint64_t /*bytes*/) {}
  /// Something the user should know that does not stop the analysis, of its inputs or its numbers: it is kept
  /// in the run file.
  virtual void note(const std::string& /*message*/) {}
  /// The same, of this process alone: it is not kept.
  virtual void remark(const std::string& message) { note(message); }
};

}  // namespace moescope
