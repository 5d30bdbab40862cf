#pragma once
/// How long work ends early.

namespace moescope {

/// Thrown where long work notices that it was asked to stop.
struct Interrupted {};

}  // namespace moescope
