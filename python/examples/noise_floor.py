"""What rounding to bf16 changes: the losses and expert choices of two runs that differ in --precision alone.

usage: noise_floor.py f32.h5 bf16.h5, after

    for precision in f32 bf16; do
      moescope analyze data/tiny-dots1 --corpus data/eval_text/*.jsonl --sequence-length 256 \\
        --only forward --precision $precision -o $precision.h5
    done
"""

import sys

import moescope
import numpy as np

exact, rounded = (moescope.open_run(path) for path in sys.argv[1:3])
tokens, domain = exact["corpus"].token_id.size, exact["corpus"].domain.values

change = rounded["loss"].nll.values.astype(float) - exact["loss"].nll.values  # (checkpoint, token)
of_domain = np.array([np.nanmean(change[:, domain == d], axis=1) for d in np.unique(domain)])
single = np.abs(change[np.isfinite(change)])
print(f"loss of a domain: at most {np.abs(of_domain).max():.4f} nats, root mean square {np.sqrt((of_domain ** 2).mean()):.4f}")
print(f"loss of a token: at most {single.max():.2f} nats, median {np.median(single):.4f}, 99 % below {np.quantile(single, 0.99):.3f}")

a, b = (run["routing"].topk_index.values for run in (exact, rounded))  # (checkpoint, moe_layer, token, rank)
left = (a[..., :, None] != b[..., None, :]).all(axis=-1).sum(axis=-1)  # chosen in f32 and not in bf16
shares = 100 * left.sum(axis=-1) / (tokens * a.shape[-1])  # (checkpoint, moe_layer)
for layer, share in zip(exact["routing"].moe_layer.values, shares.T):
    print(f"other expert choices in layer {layer}: {share.mean():.2f} %, at most {share.max():.2f} % of a checkpoint")

flipped = left > 0  # tokens with another choice, of each checkpoint and layer
rank = exact["routing"].margin.values.argsort(axis=None).argsort().reshape(flipped.shape) / flipped.size
print(f"tokens with another choice: {100 * flipped.mean():.2f} %; of these {100 * (rank[flipped] < flipped.mean()).mean():.0f} % "
      f"are among equally many smallest margins, {100 * (rank[flipped] < 0.05).mean():.0f} % among the smallest 5 %")
