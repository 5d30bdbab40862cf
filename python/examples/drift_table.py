"""How far the weights of each role moved from one checkpoint to the next, as CSV.

usage: drift_table.py run.h5
"""

import sys

import moescope

with moescope.open_run(sys.argv[1]) as run:
    drift = run["metrics"].role_relative_drift  # (checkpoint, other_checkpoint, role): norm(B - A) / norm(A)
    print("before,after," + ",".join(drift.role.values))
    for before, after in zip(drift.checkpoint.values, drift.other_checkpoint.values[1:]):
        step = drift.sel(checkpoint=before, other_checkpoint=after)
        print(f"{before},{after}," + ",".join(f"{value:.6g}" for value in step.values))
