#include "analysis/machine/memory.h"

#include <malloc.h>

#include <algorithm>
#include <string>

#include "analysis/machine/job_limits.h"
#include "readers/errors.h"

namespace moescope {
namespace {

std::string in_mebibytes(std::uint64_t bytes) {
  return std::to_string((bytes + mebibyte - 1) / mebibyte) + "MiB";
}

/// As it was asked for, never more.
std::string asked_memory(std::uint64_t bytes) {
  if (bytes < mebibyte) return std::to_string(bytes) + " bytes";
  return std::to_string(bytes / mebibyte) + "MiB";
}

}  // namespace

void throw_too_little_memory(std::uint64_t memory, const std::string& what_for, std::uint64_t least,
                             const std::string& hint) {
  const std::string unit = "a number without a unit counts bytes: write for example --memory ";
  throw UsageError("--memory " + asked_memory(memory) + " is too little" + what_for + " (expected at least " +
                       in_mebibytes(least) + ")",
                   memory < mebibyte ? unit + in_mebibytes(std::max(least, 1024 * mebibyte)) : hint);
}

std::uint64_t default_memory_budget() {
  return std::min(available_memory() / 2, std::uint64_t{4} << 30);
}

std::uint64_t memory_budget(std::uint64_t asked) {
  return asked == 0 ? default_memory_budget() : asked;
}

bool outgrows_page_cache(std::uint64_t bytes) {
  return bytes > available_memory() / 2;
}

void release_free_memory() {
#ifdef __GLIBC__
  malloc_trim(0);
#endif
}

void require_program_memory(std::uint64_t asked) {
  const std::uint64_t memory = memory_budget(asked);
  if (memory < program_memory) throw_too_little_memory(memory, "", program_memory, "give more memory");
}

}  // namespace moescope
