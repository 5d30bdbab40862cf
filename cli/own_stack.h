#pragma once
/// A stack for the main thread that no limit of the shell can make too small.

#include <functional>

namespace moescope {

/// Calls `work`, which must not throw, on a stack of 8 MiB of its own. The stack that the system gives a
/// process grows as it is used: where `ulimit -s` or `ulimit -v` then refuses, the process ends by a SIGSEGV.
/// Where there is no memory for another one, `work` is called on the stack there is.
void on_own_stack(const std::function<void()>& work);

}  // namespace moescope
