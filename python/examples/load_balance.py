"""How evenly each checkpoint uses its experts: the worst layer of each, and its busiest expert.

usage: load_balance.py run.h5
"""

import sys

import moescope

with moescope.open_run(sys.argv[1]) as run:
    metrics, routing = run["metrics"], run["routing"]
    counts = routing.expert_count.sum("domain")  # (checkpoint, moe_layer, expert): tokens of the whole corpus
    violation = counts.isel(expert=0, drop=True).copy(data=moescope.max_violation(counts))
    print("checkpoint          worst layer   MaxVio   busiest expert   its share of tokens")
    for name in counts.checkpoint.values:
        layer = int(violation.sel(checkpoint=name).idxmax("moe_layer"))
        row = counts.sel(checkpoint=name, moe_layer=layer)
        expert = int(row.idxmax("expert"))
        share = float(row.sel(expert=expert) / routing.token_count.sum())
        print(f"{name:18}  {layer:11}  {float(violation.sel(checkpoint=name, moe_layer=layer)):7.3f}"
              f"  {expert:15}  {share:19.1%}")
    print(f"\nlargest MaxVio of one domain: {float(metrics.max_violation.max()):.3f}")
