#pragma once
/// One function per command; each is a line of the table in commands.cpp and lives in command_NAME.cpp.

#include "cli/commands.h"

namespace moescope {

ExitCode run_inspect(const Arguments& arguments);
ExitCode run_plan(const Arguments& arguments);
ExitCode run_analyze(const Arguments& arguments);
ExitCode run_compare(const Arguments& arguments);
ExitCode run_report(const Arguments& arguments);
ExitCode run_plot(const Arguments& arguments);
ExitCode run_export(const Arguments& arguments);
ExitCode run_merge(const Arguments& arguments);
ExitCode run_tokenize(const Arguments& arguments);

}  // namespace moescope
