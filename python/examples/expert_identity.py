"""Which experts of one checkpoint are which of another, by the rows of their routers; reads nothing else.

usage: expert_identity.py EARLIER LATER      (two checkpoint directories)
"""

import sys

import moescope

earlier, later = (moescope.Checkpoint(directory) for directory in sys.argv[1:3])
routers = [name for name in earlier.names if name.endswith("mlp.gate.weight")]
for name in sorted(routers, key=lambda name: int(name.split(".")[2])):
    # (E, E): cosines of the rows; those of one expert at both checkpoints lie on the diagonal.
    similarity = moescope.row_cosines(earlier.float32(name), later.float32(name))
    matching = moescope.find_permutation(similarity)
    moved = ", ".join(f"{expert} -> {matching['match'][expert]}" for expert in matching["moved"]) or "none"
    print(f"{name}: mean cosine {matching['in_place_similarity']:.4f}, moved experts: {moved}")
