/// The only catcher: every failure becomes one sentence on standard error and an exit code.

#include <sys/resource.h>

#include <cerrno>
#include <exception>
#include <filesystem>
#include <iostream>
#include <new>
#include <string>
#include <system_error>

#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "analysis/weight_stream.h"
#include "cli/bus_error.h"
#include "cli/commands.h"
#include "readers/errors.h"

namespace moescope {
namespace {

ExitCode report(ExitCode code, const std::string& message, const std::string& hint = {}) {
  std::cerr << "moescope: " << message << '\n';
  if (!hint.empty()) std::cerr << "hint: " << hint << '\n';
  return code;
}

std::string usage_hint(const UsageError& error, const Arguments& arguments) {
  if (!error.hint().empty()) return error.hint();
  if (arguments.empty()) return "see moescope --help";
  return "see moescope " + arguments.front() + " --help";
}

// A result that did not reach its file or pipe is a failure, however well it was computed.
ExitCode deliver(ExitCode code) {
  errno = 0;
  std::cout.flush();
  if (!std::cout)
    throw std::system_error(errno ? errno : EIO, std::generic_category(), "standard output: cannot write");
  return code;
}

// The shards of all checkpoints of a series are open at once: 1,500 files for two dozen of dots.llm1.
void allow_many_open_files() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);  // without it, opening fails with a message of its own
}

// Large blocks go back to the system when they are freed, so that memory stays within its budget. Left alone,
// glibc raises the size from which it does so to 32 MiB as it runs, and keeps up to twice as much.
void give_back_memory() {
#ifdef __GLIBC__
  mallopt(M_MMAP_THRESHOLD, 8 << 20);
  mallopt(M_TRIM_THRESHOLD, 16 << 20);
#endif
}

ExitCode guarded(const Arguments& arguments) {
  try {
    return deliver(run_moescope(arguments));
  } catch (const UsageError& error) {
    return report(exit_wrong_use, error.what(), usage_hint(error, arguments));
  } catch (const InputError& error) {
    return report(exit_invalid_input, error.what(), error.hint());
  } catch (const Interrupted&) {
    return report(exit_interrupted, "interrupted");
  } catch (const std::bad_alloc&) {
    return report(exit_failed, "not enough memory", "a smaller --memory or --max-tokens may help");
  } catch (const std::filesystem::filesystem_error& error) {
    return report(exit_failed,
                  error.path1().string() + ": " + error.code().message());  // what() shows no form of ours
  } catch (const std::system_error& error) {
    return report(exit_failed, error.what());
  } catch (const std::exception& error) {
    return report(exit_failed, std::string("internal error: ") + error.what(),
                  "this is a defect of moescope");
  } catch (...) {
    return report(exit_failed, "internal error of an unknown kind", "this is a defect of moescope");
  }
}

}  // namespace
}  // namespace moescope

int main(int argc, char** argv) {
  std::ios::sync_with_stdio(false);
  moescope::allow_many_open_files();
  moescope::give_back_memory();
  moescope::report_lost_files();
  return moescope::guarded(moescope::Arguments(argv + (argc > 0 ? 1 : 0), argv + argc));
}
