#!/usr/bin/env python3
"""Damages a run file in every way that h5py can make, and by single bytes of its metadata whose checksums are then made
right: each command that takes a run file ends with an exit code of its own and one sentence, never with a signal, an
"internal error" or not at all.

Usage: damage.py --moescope PROGRAM --source ROOT [--all] [--bytes N] [--seed N] [--only WORD]
Without --all, each dataset is damaged in one way and read by one command, which differ from dataset to dataset.
"""

import argparse
import itertools
import pathlib
import random
import shutil
import struct
import subprocess
import tempfile

import h5py
import numpy as np

SECONDS = 60


def rot(x, k):
    return ((x << k) | (x >> (32 - k))) & 0xFFFFFFFF


def checksum(data):
    """Bob Jenkins' lookup3, hashlittle with initval 0, as HDF5 has it."""
    mask = 0xFFFFFFFF
    a = b = c = (0xDEADBEEF + len(data)) & mask
    while len(data) > 12:
        x, y, z = struct.unpack("<3I", data[:12])
        a, b, c, data = (a + x) & mask, (b + y) & mask, (c + z) & mask, data[12:]
        a = ((a - c) & mask) ^ rot(c, 4); c = (c + b) & mask
        b = ((b - a) & mask) ^ rot(a, 6); a = (a + c) & mask
        c = ((c - b) & mask) ^ rot(b, 8); b = (b + a) & mask
        a = ((a - c) & mask) ^ rot(c, 16); c = (c + b) & mask
        b = ((b - a) & mask) ^ rot(a, 19); a = (a + c) & mask
        c = ((c - b) & mask) ^ rot(b, 4); b = (b + a) & mask
    if not data:
        return c
    x, y, z = struct.unpack("<3I", data.ljust(12, b"\0"))
    a, b, c = (a + x) & mask, (b + y) & mask, (c + z) & mask
    c = ((c ^ b) - rot(b, 14)) & mask
    a = ((a ^ c) - rot(c, 11)) & mask
    b = ((b ^ a) - rot(a, 25)) & mask
    c = ((c ^ b) - rot(b, 16)) & mask
    a = ((a ^ c) - rot(c, 4)) & mask
    b = ((b ^ a) - rot(a, 14)) & mask
    return ((c ^ b) - rot(b, 24)) & mask


def header_chunks(content):
    """(begin, end) of every checksummed piece of an object header; the checksum is in the last 4 bytes."""
    chunks, at = [], content.find(b"OHDR")
    while at >= 0:
        flags = content[at + 5]
        begin = at + 6 + (16 if flags & 0x20 else 0) + (4 if flags & 0x10 else 0)
        width = 1 << (flags & 3)
        size = int.from_bytes(content[begin:begin + width], "little")
        pieces, parsed = [(at, begin + width, begin + width + size)], []
        while pieces:
            start, message, end = pieces.pop()
            if end + 4 > len(content) or \
                    checksum(content[start:end]) != struct.unpack("<I", content[end:end + 4])[0]:
                continue
            parsed.append((start, end + 4))
            while message + 4 <= end:
                kind, length = content[message], int.from_bytes(content[message + 1:message + 3], "little")
                body = message + 4 + (2 if flags & 4 else 0)
                if kind == 0x10:
                    offset, count = struct.unpack("<QQ", content[body:body + 16])
                    pieces.append((offset, offset + 4, offset + count - 4))
                message = body + length
        chunks += parsed
        at = content.find(b"OHDR", at + 4)
    return chunks


def set_byte(content, position, value, chunks):
    damaged = bytearray(content)
    damaged[position] = value
    for begin, end in chunks:
        if begin <= position < end - 4:
            damaged[end - 4:end] = struct.pack("<I", checksum(bytes(damaged[begin:end - 4])))
    return bytes(damaged)


def replace(file, path, values):
    """Another dataset at the same path, with the attributes of the old one, those of its dimensions too."""
    attributes = {}
    for name in file[path].attrs:
        try:
            attributes[name] = file[path].attrs[name]
        except (OSError, TypeError):
            pass
    dimensions = [dim.values() for dim in file[path].dims] if "DIMENSION_LIST" in file[path].attrs else []
    del file[path]
    dataset = file.create_dataset(path, data=values)
    for name, value in attributes.items():
        if name not in ("DIMENSION_LIST", "REFERENCE_LIST", "CLASS", "NAME"):
            dataset.attrs[name] = value
    if "CLASS" in attributes:
        dataset.make_scale(path.rsplit("/", 1)[1])
    for i, scales in enumerate(dimensions[:dataset.ndim]):
        for scale in scales:
            dataset.dims[i].attach_scale(scale)


def wrong_type(values):
    if values.dtype.kind == "O":
        return np.zeros(values.shape, "i8")
    return values.astype("f8" if values.dtype.kind in "iu" else "i4")


def texts(values):
    return np.full(values.shape, "x", dtype=h5py.string_dtype())


def compounds(values):
    return np.zeros(values.shape, [("a", "i4"), ("b", "f4")])


def altered(change):
    return lambda file, path: replace(file, path, change(file[path][()]))


def without(file, path):
    del file[path]


def attribute(name, value):
    def change(file, path):
        if name in file[path].attrs:
            del file[path].attrs[name]
        if value is not None:
            file[path].attrs[name] = value
    return change


def foreign_scale(file, path):
    for i in range(file[path].ndim):
        other = file["/layer"] if "DIMENSION_LIST" in file[path].attrs else None
        if other is not None and len(file[path].dims[i]) > 0:
            file[path].dims[i].detach_scale(list(file[path].dims[i].values())[0])
            file[path].dims[i].attach_scale(other)


def dangling(file, path):
    del file[path]
    file[path] = h5py.SoftLink("/nowhere")


def group(file, path):
    del file[path]
    file.create_group(path)


def large_values(values):
    return np.full_like(values, np.iinfo(values.dtype).max) if values.dtype.kind in "iu" else values


WAYS = {
    "scalar": altered(lambda v: v.ravel()[0] if v.size else np.zeros((), v.dtype if v.dtype.kind != "O" else "i8")),
    "one rank more": altered(lambda v: v[..., None]),
    "one rank less": altered(lambda v: v[0] if v.ndim and v.size else v),
    "flat": altered(lambda v: v.ravel()),
    "empty": altered(lambda v: v[..., :0] if v.ndim else v),
    "shorter": altered(lambda v: v[:-1] if v.ndim and len(v) else v),
    "longer": altered(lambda v: np.concatenate([v, v]) if v.ndim else v),
    "turned": altered(lambda v: np.ascontiguousarray(v.T)),
    "other type": altered(wrong_type),
    "texts": altered(texts),
    "compounds": altered(compounds),
    "large": altered(large_values),
    "missing": without,
    "dangling": dangling,
    "a group": group,
    "foreign scale": foreign_scale,
    "no dimensions": attribute("DIMENSION_LIST", None),
    "integer dimensions": attribute("DIMENSION_LIST", np.arange(4)),
    "text dimensions": attribute("DIMENSION_LIST", "x"),
    "integer class": attribute("CLASS", 7),
    "a scale": attribute("CLASS", np.bytes_(b"DIMENSION_SCALE")),
    "integer name": attribute("NAME", 7),
    "integer references": attribute("REFERENCE_LIST", np.arange(3)),
    "integer unit": attribute("unit", 7),
    "numbers for a title": attribute("long_name", np.arange(3.0)),
    "empty description": attribute("description", h5py.Empty("S1")),
}


class Trial:
    def __init__(self, options, place):
        self.program, self.place = str(options.moescope.resolve()), place
        data = options.source.resolve() / "data"
        series = [data / "tiny-dots1" / f"tiny-dots1-0{i}T" for i in range(3)]
        small = ["--corpus", data / "eval_text" / "c.jsonl", data / "eval_text" / "math.jsonl", "--max-tokens", "48",
                 "--sequence-length", "24", "--threads", "1"]
        self.whole, self.other, self.run = place / "whole.h5", place / "other.h5", place / "run.h5"
        self.damaged = place / "damaged.h5"
        self.run_command("analyze", *series[:2], *small, "-o", self.whole)
        self.run_command("analyze", series[2], *small, "-o", self.other)
        names = [checkpoint.name for checkpoint in series]
        listed = self.run_command("plot", self.whole, "--list").stdout.splitlines()
        self.figures = itertools.cycle([line.split()[0] for line in listed if line.strip()][1:])
        target = self.damaged
        self.commands = {
            "compare": lambda _: ["compare", "--run", target, names[0], names[1]],
            "analyze": lambda _: ["analyze", *series[:2], *small, "-o", target],
            "plot": lambda _: ["plot", target, next(self.figures), "-o", place / "x.svg"],
            "export": lambda path: ["export", target, path, "-o", place / "x.csv"],
            "append": lambda _: ["analyze", series[2], "--append", target, "--threads", "1"],
            "merge": lambda _: ["merge", target, self.other, "-o", place / "merged.h5", "--overwrite"],
            "list": lambda _: ["export", target, "--list"],
            "inspect": lambda _: ["inspect", target],
            "report": lambda _: ["report", target, "-o", place / "report.html"],
        }
        self.failures, self.count = [], 0

    def run_command(self, *words):
        done = subprocess.run([self.program, *map(str, words)], capture_output=True, text=True, timeout=600)
        assert done.returncode == 0, done
        return done

    def expect_a_sentence(self, what, name, path):
        words = [self.program, *map(str, self.commands[name](path))]
        self.count += 1
        try:
            done = subprocess.run(words, capture_output=True, text=True, timeout=SECONDS, errors="replace")
        except subprocess.TimeoutExpired:
            self.failures.append(f"{what}: {name}: not done in {SECONDS} s")
            return
        said = done.stderr.strip()
        if done.returncode not in (0, 1, 2, 3):
            self.failures.append(f"{what}: {name}: ended by {done.returncode}: {said}")
        elif "internal error" in said or "defect" in said:
            self.failures.append(f"{what}: {name}: {said}")
        elif done.returncode != 0 and "moescope: " not in said:
            self.failures.append(f"{what}: {name}: says nothing ({done.returncode}): {said}")

    def structures(self, everything, only):
        with h5py.File(self.whole) as file:
            paths = []
            file.visititems(lambda name, item: paths.append("/" + name) if isinstance(item, h5py.Dataset) else None)
        ways = list(WAYS.items())
        names = list(self.commands)
        for number, path in enumerate(paths):
            chosen = ways if everything else [ways[number * 7 % len(ways)]]
            for way, (word, change) in enumerate(chosen):
                what = f"{path} {word}"
                if only and only not in what:
                    continue
                shutil.copyfile(self.whole, self.damaged)
                try:
                    with h5py.File(self.damaged, "r+") as file:
                        change(file, path)
                except (OSError, TypeError, ValueError, RuntimeError, KeyError, IndexError):
                    continue  # h5py cannot
                first = number + way
                picked = names[:-1] if everything else [names[first % len(names)]]
                keep = self.damaged.read_bytes()
                for name in picked:
                    if name in ("analyze", "append"):
                        self.damaged.write_bytes(keep)
                    self.expect_a_sentence(what, name, path)
                    for left in self.place.glob("damaged.h5.*"):
                        left.unlink()

    def single_bytes(self, count, chance):
        content = self.whole.read_bytes()
        chunks = header_chunks(content)
        assert len(chunks) > 100, len(chunks)
        positions = [p for begin, end in chunks for p in range(begin + 4, end - 4)]
        for trial in range(count):
            position = chance.choice(positions)
            value = chance.choice([0, 1, 0x7F, 0xFF, content[position] ^ 1 << chance.randrange(8)])
            damaged = set_byte(content, position, value, chunks)
            name = list(self.commands)[trial % 8]
            self.damaged.write_bytes(damaged)
            self.expect_a_sentence(f"byte {position} = {value}", name, "/loss/nll")
            for left in self.place.glob("damaged.h5.*"):
                left.unlink()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--moescope", type=pathlib.Path, required=True)
    parser.add_argument("--source", type=pathlib.Path, required=True)
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--bytes", type=int, default=32)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="moescope-damage-") as place:
        trial = Trial(options, pathlib.Path(place))
        trial.structures(options.all, options.only)
        trial.single_bytes(options.bytes, random.Random(options.seed))
    assert not trial.failures, "\n".join([f"{len(trial.failures)} of {trial.count}:", *trial.failures])
    print(f"{trial.count} commands over damaged run files, each with an end of its own")


main()
