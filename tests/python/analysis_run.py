"""Runs the real program as a user would, and reads what it wrote.

Every test file here is started as `python3 FILE BINARY [unittest arguments]`. With MOESCOPE_QUICK=1 in the
environment the tests take a smaller selection: for builds that a sanitizer makes slow.
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

import h5py
import numpy as np

DATA = pathlib.Path(__file__).resolve().parents[2] / "data"
TINY = DATA / "tiny-dots1"
QUICK = os.environ.get("MOESCOPE_QUICK", "") not in ("", "0")
BINARY = sys.argv[1] if len(sys.argv) > 1 else "moescope"
WHERE_IT_CAME_FROM = {"checkpoint", "other_checkpoint", "path", "fingerprint", "file_stamps", "config_json"}


def main():
    unittest.main(argv=sys.argv[:1] + sys.argv[2:])


class TestCase(unittest.TestCase):
    """With a temporary directory of the class's own."""

    @classmethod
    def setUpClass(cls):
        temporary = tempfile.TemporaryDirectory()
        cls.addClassCleanup(temporary.cleanup)
        cls.directory = pathlib.Path(temporary.name)


def moescope(*arguments):
    return subprocess.run([str(a) for a in (BINARY, *arguments)], capture_output=True, text=True, check=False)


def analyze(output, series, *options):
    """The path of the run file; fails with the program's own words."""
    done = moescope("analyze", *series, *options, "--quiet", "-o", output)
    if done.returncode != 0 or done.stderr:
        raise AssertionError(f"analyze ended with {done.returncode}: {done.stderr}")
    return output


def write_corpus(directory, sequences):
    """sequences: (domain, ids) pairs, neighbours of one domain and length share a file. The --corpus arguments."""
    directory.mkdir(parents=True, exist_ok=True)
    groups = []
    for domain, ids in sequences:
        if not groups or groups[-1][0] != domain or len(groups[-1][1][0]) != len(ids):
            groups.append((domain, []))
        groups[-1][1].append(ids)
    arguments = ["--corpus"]
    for number, (domain, rows) in enumerate(groups):
        np.save(directory / f"{number}.npy", np.array(rows, np.int32))
        arguments.append(f"{domain}={directory / f'{number}.npy'}")
    return arguments


def evaluation_sequences():
    """The 16 evaluation sequences, domain after domain: [(domain, ids)], and their rows in ids256.npy."""
    ids, domain = np.load(DATA / "eval_text/ids256.npy"), np.load(DATA / "eval_text/domain.npy")
    names = json.loads((DATA / "golden/series_summary.json").read_text())["domains"]
    rows = np.argsort(domain, kind="stable")
    return [(names[domain[row]], ids[row]) for row in rows], rows


def tiny_series():
    """The directories of the demo series in training order."""
    return [TINY / entry["name"] for entry in json.loads((TINY / "manifest.json").read_text())["checkpoints"]]


def datasets(path):
    """Every dataset of a run file: path -> (type, shape, bytes)."""
    found = {}

    def visit(name, item):
        if isinstance(item, h5py.Dataset):
            values = item[()]
            content = repr(values.tolist()).encode() if values.dtype == object else values.tobytes()
            found["/" + name] = (str(values.dtype), values.shape, content)

    with h5py.File(path) as run:
        run.visititems(visit)
    return found


def differing_datasets(a, b, ignore=()):
    """Paths of the datasets that are not the same in two run files, byte for byte; `ignore` holds last parts of paths.

    /io, which measures the run itself, is left out.
    """
    left, right = datasets(a), datasets(b)
    return sorted(path for path in left.keys() | right.keys()
                  if left.get(path) != right.get(path) and path.rsplit("/")[-1] not in ignore and not path.startswith("/io/"))
