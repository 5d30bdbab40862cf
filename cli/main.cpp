/// The only catcher: every failure becomes one sentence on standard error and an exit code.

#include <sys/resource.h>
#include <unistd.h>

#include <cstdlib>
#include <exception>
#include <filesystem>
#include <iostream>
#include <new>
#include <string>
#include <string_view>
#include <system_error>

#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "analysis/machine/interruption.h"
#include "cli/commands.h"
#include "cli/damaged_file.h"
#include "cli/own_stack.h"
#include "cli/standard_streams.h"
#include "plots/gnuplot/gnuplot_process.h"
#include "readers/errors.h"

namespace moescope {
namespace {

/// Allocates nothing: there may be no memory.
ExitCode report(ExitCode code, std::string_view message, std::string_view hint = {}) {
  std::cerr << "moescope: " << message << '\n';
  if (!hint.empty()) std::cerr << "hint: " << hint << '\n';
  return code;
}

std::string usage_hint(const UsageError& error, const Arguments& arguments) {
  if (!error.hint().empty()) return error.hint();
  if (arguments.empty()) return "see moescope --help";
  return "see moescope " + arguments.front() + " --help";
}

ExitCode report_system_error(const std::system_error& error) {
  if (error.code() != std::errc::broken_pipe) return report(exit_failed, error.what());
  end_by_broken_pipe();
  return exit_failed;  // in silence, too: who reads the output has gone
}

// what() shows no form of ours.
ExitCode report_filesystem_error(const std::filesystem::filesystem_error& error) {
  const std::string path = error.path1().string();
  return report(exit_failed, path.empty() ? error.what() : path + ": " + error.code().message());
}

// The shards of all checkpoints of a series are open at once: 1,500 files for two dozen of dots.llm1.
void allow_many_open_files() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);  // without it, opening fails with a message of its own
}

// Large blocks go back to the system when they are freed, so that memory stays within its budget. Left alone,
// glibc raises the size from which it does so to 32 MiB as it runs, and keeps up to twice as much. Of small
// ones it keeps what a layer of a small model frees and the next one takes: to have that mapped anew costs as
// much time as computing it.
void give_back_memory() {
#ifdef __GLIBC__
  mallopt(M_MMAP_THRESHOLD, 8 << 20);
  mallopt(M_TRIM_THRESHOLD, 32 << 20);
#endif
}

ExitCode report_lack_of_memory() {
  return report(exit_failed, "not enough memory", "a smaller --memory or --max-tokens may help");
}

// Where memory is lacking while something is being cleaned up, nobody can catch that.
[[noreturn]] void end_uncaught() {
  try {
    if (const std::exception_ptr uncaught = std::current_exception()) std::rethrow_exception(uncaught);
  } catch (const std::bad_alloc&) {
    _exit(report_lack_of_memory());
  } catch (...) {  // a defect: as usual
  }
  std::abort();
}

ExitCode guarded(int argc, char** argv) {
  const StandardOutput standard_output;
  Arguments arguments;
  try {
    arguments.assign(argv + (argc > 0 ? 1 : 0), argv + argc);
    const ExitCode code = run_moescope(arguments);
    standard_output.deliver();
    return code;
  } catch (const UsageError& error) {
    return report(exit_wrong_use, error.what(), usage_hint(error, arguments));
  } catch (const InputError& error) {
    return report(exit_invalid_input, error.what(), error.hint());
  } catch (const Interrupted&) {
    return report(exit_interrupted, "interrupted");
  } catch (const std::bad_alloc&) {
    return report_lack_of_memory();
  } catch (const std::filesystem::filesystem_error& error) {
    return report_filesystem_error(error);
  } catch (const std::system_error& error) {
    return report_system_error(error);
  } catch (const GnuplotError& error) {
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
  moescope::occupy_standard_descriptors();
  moescope::take_signals_of_writes_as_errors();
  moescope::allow_many_open_files();
  moescope::give_back_memory();
  moescope::report_damaged_files();
  std::set_terminate(moescope::end_uncaught);
  int code = moescope::exit_failed;
  moescope::on_own_stack([&] { code = moescope::guarded(argc, argv); });
  return code;
}
