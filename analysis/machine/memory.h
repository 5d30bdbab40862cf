#pragma once
/// How much memory the program may use.

#include <cstddef>
#include <cstdint>
#include <string>

namespace moescope {

inline constexpr std::uint64_t mebibyte = 1ull << 20;

/// The program itself, the run file's buffers, the threads' scratch: bytes of every run.
inline constexpr std::uint64_t program_memory = 48 * mebibyte;

/// Half of the memory that this process may use, 4 GiB at most.
std::uint64_t default_memory_budget();
/// `asked` bytes, or the default where nothing (0) was asked for.
std::uint64_t memory_budget(std::uint64_t asked);

/// Whether files of so many bytes, read once, would push everything else out of the page cache without
/// fitting in it.
bool outgrows_page_cache(std::uint64_t bytes);

/// Gives memory that was freed, and kept for what comes next, back to the system.
void release_free_memory();

/// Throws UsageError, naming the least that would do, where less is asked for than the program itself takes.
void require_program_memory(std::uint64_t asked);

/// Throws UsageError: so much memory is less than the `least` that would do. `what_for` follows "is too
/// little", or is empty; `hint` says what to do where the unit was not forgotten.
[[noreturn]] void throw_too_little_memory(std::uint64_t memory, const std::string& what_for,
                                          std::uint64_t least, const std::string& hint);

}  // namespace moescope
