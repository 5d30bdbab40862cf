#!/usr/bin/env python3
"""Kills an analysis (SIGKILL) at random moments: each time the run file opens with h5py, holds what is marked as
finished, and the same command goes on to the bytes of an analysis that nobody disturbed.

The structure of the run file must not change from its first moment on; a reader during the run sees what is finished.

Usage: kill.py --moescope PROGRAM --source ROOT [--kills N] [--seed N]
"""

import argparse
import pathlib
import random
import subprocess
import sys
import tempfile
import time

import h5py
import numpy as np

UNEQUAL = ("/io/", "/checkpoint_info/path")  # measurements of the machine


def datasets(file):
    """name -> values of every dataset, the scales once."""
    found = {}
    file.visititems(lambda name, item: found.setdefault(f"/{name}", item[()]) if isinstance(item, h5py.Dataset) else None)
    return found


def differing(path, other):
    with h5py.File(path) as a, h5py.File(other) as b:
        a, b = datasets(a), datasets(b)
    assert a.keys() == b.keys(), a.keys() ^ b.keys()
    return [name for name in a if not name.startswith(UNEQUAL) and not equal(a[name], b[name])]


def equal(a, b):
    if a.dtype.kind == "O":
        return a.tolist() == b.tolist()
    return a.tobytes() == b.tobytes()


def extents(path):
    """(offset, bytes) of the values of every dataset in the file."""
    with h5py.File(path) as file:
        places = []
        file.visititems(lambda _, item: places.append((item.id.get_offset(), item.nbytes))
                        if isinstance(item, h5py.Dataset) and item.id.get_offset() is not None else None)
    return places


def structure(path):
    """The file's bytes with those of its values blanked."""
    content = bytearray(path.read_bytes())
    for offset, size in extents(path):
        content[offset:offset + size] = bytes(size)
    return bytes(content)


def finished_part(path, whole):
    """Checks that what the killed file calls finished is what the whole file holds; how much that is."""
    with h5py.File(path) as run, h5py.File(whole) as other:
        forward = run["/status/forward"][()] == 1
        for name in ("/routing/topk_index", "/routing/entropy", "/routing/expert_count", "/loss/nll"):
            assert run[name][()][forward].tobytes() == other[name][()][forward].tobytes(), name
        tensors = run["/status/tensor_done"][()] == 1
        for name in ("/weights/inner_product", "/weights/delta_inner_product"):
            assert run[name][()][tensors].tobytes() == other[name][()][tensors].tobytes(), name
        return int(forward.sum()), int(tensors.sum())


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--moescope", type=pathlib.Path, required=True)
    parser.add_argument("--source", type=pathlib.Path, required=True)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    program, data = options.moescope.resolve(), options.source.resolve() / "data"
    chance = random.Random(options.seed)

    with tempfile.TemporaryDirectory(prefix="moescope-kill-") as place:
        place = pathlib.Path(place)
        series = [str(data / "tiny-dots1" / f"tiny-dots1-{name}") for name in ("00T", "01T", "11.2T")]
        # --save-every 0: after each layer, and after each weight.
        command = [str(program), "analyze", *series, "--corpus", *map(str, sorted(data.glob("eval_text/*.jsonl"))),
                   "--save", "router_logits", "--save-every", "0", "-o"]
        whole, run = place / "whole.h5", place / "run.h5"
        start = time.monotonic()
        subprocess.run([*command, str(whole)], check=True, capture_output=True, timeout=600)
        duration = time.monotonic() - start

        kills, rounds, seen, partly = 0, 0, set(), 0
        frozen = None
        while kills < options.kills:
            rounds += 1
            assert rounds < 20 * options.kills, "the program is too fast to be killed"
            process = subprocess.Popen([*command, str(run)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
            time.sleep(chance.uniform(0, 0.5 * duration))
            running = process.poll() is None
            if run.exists():  # a reader meanwhile
                seen.add(finished_part(run, whole))
            process.kill()
            _, said = process.communicate(timeout=60)
            if not running:
                assert process.returncode == 0, said
                assert differing(run, whole) == [], differing(run, whole)
                run.unlink()
                frozen = None
                continue
            kills += 1
            if not run.exists():
                continue
            seen.add(finished_part(run, whole))
            partly += pathlib.Path(f"{run}.resume").exists()
            frozen = frozen or structure(run)
            assert structure(run) == frozen, "the structure of the run file has changed"
        last = subprocess.run([*command, str(run)], capture_output=True, text=True, timeout=600)
        assert last.returncode == 0, last
        assert differing(run, whole) == [], differing(run, whole)
        left = sorted(path.name for path in place.iterdir())
        assert left == ["run.h5", "whole.h5"], left
        assert len(seen) > 1, f"only one state was seen: {seen}"
    print(f"{kills} kills, {partly} of them with a bookmark, states seen (forward passes, tensors): {sorted(seen)}")


main()
