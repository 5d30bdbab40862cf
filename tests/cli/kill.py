#!/usr/bin/env python3
"""Kills an analysis (SIGKILL) at random moments: each time the run file opens with h5py, holds what is marked as
finished, and the same command goes on to the bytes of an analysis that nobody disturbed.

The structure of the run file must not change from its first moment on; a reader during the run sees what is finished.
A run file to which a checkpoint is appended is what it was, or has the checkpoint.

Usage: kill.py --moescope PROGRAM --source ROOT [--kills N] [--seed N] [--quick]      (MOESCOPE_KILLS in the environment: N)
"""

import argparse
import os
import pathlib
import random
import subprocess
import tempfile
import time

import h5py

UNEQUAL = ("/io/", "/checkpoint_info/path", "/checkpoint_info/file_stamps")  # measurements of the machine, places


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
    return a.tolist() == b.tolist() if a.dtype.kind == "O" else a.tobytes() == b.tobytes()


def structure(path):
    """The file's bytes with those of its values blanked."""
    places = []
    with h5py.File(path) as file:
        file.visititems(lambda _, item: places.append((item.id.get_offset(), item.nbytes))
                        if isinstance(item, h5py.Dataset) and item.id.get_offset() is not None else None)
    content = bytearray(path.read_bytes())
    for offset, size in places:
        content[offset:offset + size] = bytes(size)
    return bytes(content)


def finished_part(path, whole):
    """Checks that what the unfinished file calls finished is what the whole file holds; how much that is."""
    with h5py.File(path) as run, h5py.File(whole) as other:
        forward = run["/status/forward"][()] == 1
        for name in ("/routing/topk_index", "/routing/entropy", "/routing/expert_count", "/loss/nll"):
            assert run[name][()][forward].tobytes() == other[name][()][forward].tobytes(), name
        tensors = run["/status/tensor_done"][()] == 1
        for name in ("/weights/inner_product", "/weights/delta_inner_product"):
            assert run[name][()][tensors].tobytes() == other[name][()][tensors].tobytes(), name
        return int(forward.sum()), int(tensors.sum())


class Killer:
    """Runs one command again and again, and kills it at random moments of its first `duration` seconds."""

    def __init__(self, command, duration, chance):
        self.command, self.duration, self.chance = [str(word) for word in command], duration, chance

    def strike(self, look):
        """False when the command had ended by itself; `look` is called just before."""
        process = subprocess.Popen(self.command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        time.sleep(self.chance.uniform(0, self.duration))
        look()
        running = process.poll() is None
        process.kill()
        _, said = process.communicate(timeout=60)
        assert running or process.returncode == 0, said
        return running

    def finish(self):
        done = subprocess.run(self.command, capture_output=True, text=True, timeout=600)
        assert done.returncode == 0, done


def kill_analyses(command, whole, run, duration, kills, chance):
    """States that were seen, and how often a bookmark was left."""
    killer, seen, bookmarks, frozen, done = Killer([*command, run], duration, chance), set(), 0, None, 0

    def look():
        if run.exists():
            seen.add(finished_part(run, whole))

    for _ in range(20 * kills):
        if done == kills:
            break
        if not killer.strike(look):
            assert differing(run, whole) == []
            run.unlink()
            frozen = None
            continue
        done += 1
        look()
        if run.exists():
            bookmarks += pathlib.Path(f"{run}.resume").exists()
            frozen = frozen or structure(run)
            assert structure(run) == frozen, "the structure of the run file has changed"
    assert done == kills, "the program is too fast to be killed"
    killer.finish()
    assert differing(run, whole) == [], differing(run, whole)
    assert kills < 10 or len(seen) > 1, f"only one state was seen: {seen}"  # few may all come at one moment
    return sorted(seen), bookmarks


def kill_appends(program, checkpoint, whole, run, duration, kills, chance):
    killer = Killer([program, "analyze", checkpoint, "--append", run, "--save-every", "0"], duration, chance)
    before = run.read_bytes()
    for _ in range(kills):
        killer.strike(lambda: None)
        assert run.read_bytes() == before or differing(run, whole) == []
    killer.finish()
    assert differing(run, whole) == [], differing(run, whole)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--moescope", type=pathlib.Path, required=True)
    parser.add_argument("--source", type=pathlib.Path, required=True)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="for a program that is slow")
    options = parser.parse_args()
    program, data = options.moescope.resolve(), options.source.resolve() / "data"
    chance, kills = random.Random(options.seed), int(os.environ.get("MOESCOPE_KILLS", options.kills))

    with tempfile.TemporaryDirectory(prefix="moescope-kill-") as place:
        place = pathlib.Path(place)
        whole, run, appended = place / "whole.h5", place / "run.h5", place / "appended.h5"
        series = [data / "tiny-dots1" / f"tiny-dots1-{name}" for name in ("00T", "01T", "11.2T")]
        texts = ["--corpus", *sorted(data.glob("eval_text/*.jsonl")), "--save", "router_logits"]
        if options.quick:
            texts += ["--max-tokens", "256", "--spectra", "none"]
        # --save-every 0: after each layer, and after each weight.
        command = [program, "analyze", *series, *texts, "--save-every", "0", "-o"]
        start = time.monotonic()
        Killer([*command, whole], 0, chance).finish()
        duration = time.monotonic() - start
        seen, bookmarks = kill_analyses(command, whole, run, 0.6 * duration, kills, chance)
        Killer([program, "analyze", *series[:2], *texts, "-o", appended], 0, chance).finish()
        kill_appends(program, series[2], whole, appended, 0.6 * duration, (kills + 1) // 2, chance)
        left = sorted(path.name for path in place.iterdir())
        assert left == ["appended.h5", "run.h5", "whole.h5"], left
    print(f"{kills} kills, {bookmarks} of them with a bookmark, states seen (forward passes, tensors): {seen}; "
          f"{(kills + 1) // 2} kills while appending")


main()
