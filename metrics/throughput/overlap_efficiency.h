#pragma once
/// How well reading was hidden behind computing. A measurement: in the run file it stands in /io, not among
/// the metrics, which the same inputs reproduce.

namespace moescope {

/// max(read, compute) / wall: the time that the slower of reading and computing needs alone, as a share of
/// the time that both took together. 1: the faster of them was hidden completely; one after the other gives
/// 1/2 to 1, 1/2 where they take equally long. NaN where wall is not positive. Pure and thread-safe.
double overlap_efficiency(double read_seconds, double compute_seconds, double wall_seconds);

}  // namespace moescope
