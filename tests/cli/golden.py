#!/usr/bin/env python3
"""Checks the command line against golden files: what is typed, printed, returned and left behind.

Usage: golden.py --moescope PROGRAM --source ROOT FOLDER      (UPDATE=1 in the environment rewrites the files)

A golden file is a story in a fresh, empty directory:
    # a claim
    & mkdir broken          a preparation, run by bash; must succeed in silence
    $ moescope inspect x    a command, run by bash
    > text                  what it must print on standard output
    ! text                  what it must print on standard error; nothing, where there is no such line
    = 3                     its exit code, where it is not 0
    + x.svg                 a file that it leaves behind and that was not there before
$DATA is the repository's data/. Paths, durations, rates, overlap and sizes of run files are replaced before comparing, lines of progress left out.
"""

import argparse
import difflib
import os
import pathlib
import re
import subprocess
import sys
import tempfile


def normalised(text, places):
    for path, name in places:
        text = text.replace(path, name)
    text = re.sub(r"^progress: .*\n", "", text, flags=re.M)  # a line a minute, where the program is slow
    text = re.sub(r"\b\d+(\.\d+)? (s|min|h)\b( \d+ (s|min))?", "N s", text)
    text = re.sub(r"\b\d+(\.\d+)? [kMG]?B/s", "N B/s", text)
    text = re.sub(r"^(forward .*: )[\d.]+ [kMGTP]?FLOP/s, overlap efficiency [\d.]+ %$", r"\1N FLOP/s, overlap efficiency N %",
                  text, flags=re.M)
    text = re.sub(r"^(run file .*)\(\d+\.\d [kMG]B\)$", r"\1(N MB)", text, flags=re.M)
    return text


def files_below(directory):
    return {str(p.relative_to(directory)) for p in directory.rglob("*") if not p.is_dir()}


def prefixed(mark, text):
    lines = text.split("\n")
    if lines[-1] == "":
        lines.pop()
    else:
        lines[-1] += " (no newline at the end)"
    return [(mark + " " + line).rstrip() for line in lines]


def play(story, program, data, directory):
    """The story with what really happens."""
    environment = {
        "PATH": f"{program.parent}:{os.environ['PATH']}", "HOME": str(directory), "DATA": str(data),
        "LANG": "C.UTF-8", "TERM": "dumb",
    }
    for name, value in os.environ.items():
        if name.endswith("SAN_OPTIONS"):
            environment[name] = value
    places = [(str(directory), "$HERE"), (str(data), "$DATA")]
    result = []
    for line in story.splitlines():
        if line[:2] == "& ":
            subprocess.run(["bash", "-ec", line[2:]], cwd=directory, env=environment, check=True)
        if line[:2] in ("& ", "# ") or not line:
            result.append(line)
        if line[:2] != "$ ":
            continue
        before = files_below(directory)
        done = subprocess.run(["bash", "-c", line[2:]], cwd=directory, env=environment, capture_output=True,
                              stdin=subprocess.DEVNULL, timeout=300)
        result.append(line)
        result += prefixed(">", normalised(done.stdout.decode(errors="replace"), places))
        result += prefixed("!", normalised(done.stderr.decode(errors="replace"), places))
        if done.returncode != 0:
            result.append(f"= {done.returncode}")
        result += ["+ " + name for name in sorted(files_below(directory) - before)]
    return "\n".join(result) + "\n"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--moescope", type=pathlib.Path, required=True)
    parser.add_argument("--source", type=pathlib.Path, required=True)
    parser.add_argument("folder")
    options = parser.parse_args()
    program = options.moescope.resolve()
    data = (options.source / "data").resolve()
    files = sorted((options.source / "tests" / "cli" / options.folder).glob("*.golden"))
    different = 0
    for file in files:
        expected = file.read_text()
        with tempfile.TemporaryDirectory(prefix="moescope-golden-") as directory:
            found = play(expected, program, data, pathlib.Path(directory).resolve())
        if found == expected:
            print(f"ok    {options.folder}/{file.name}")
        elif os.environ.get("UPDATE"):
            file.write_text(found)
            print(f"wrote {options.folder}/{file.name}")
        else:
            different += 1
            print(f"DIFFERENT {options.folder}/{file.name}")
            print("\n".join(difflib.unified_diff(expected.splitlines(), found.splitlines(), "expected", "found",
                                                 lineterm="", n=2)))
    if not files:
        sys.exit(f"no golden files in tests/cli/{options.folder}")
    sys.exit(1 if different else 0)


main()
