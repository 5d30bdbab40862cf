#!/usr/bin/env python3
"""The rooms of the source tree, and who includes whom.

include_graph.py            prints every room with the rooms that it includes
include_graph.py --check    fails where a room includes one that is not beneath it, a file lies in no room, or
                            more than two files include each other in a circle

A room is a folder of sources; the files that lie directly in a top folder are that folder's own room.
"""

import argparse
import collections
import pathlib
import re
import sys

# Each room, and the rooms directly beneath it: it may include these, and all that is beneath them.
ROOMS = {
    "metrics": [],
    "metrics/entry": [],
    "metrics/routing": ["metrics", "metrics/entry"],
    "metrics/loss": ["metrics", "metrics/entry"],
    "metrics/spectra": ["metrics"],
    "metrics/weights": ["metrics", "metrics/entry"],
    "metrics/throughput": ["metrics"],
    "metrics/catalogue": ["metrics/routing", "metrics/loss", "metrics/weights"],
    "readers": [],
    "readers/text": ["readers"],
    "readers/files": ["readers/text"],
    "readers/storage": ["readers/files"],
    "readers/model": ["readers/storage"],
    "readers/model/families": ["readers/model"],
    "readers/checkpoint": ["readers/model"],
    "readers/tokenizer": ["readers/files"],
    "readers/corpus": ["readers/tokenizer"],
    "readers/schema": ["readers"],
    "readers/run_file": ["readers/schema", "readers/files"],
    "readers/recorded": ["readers/run_file", "readers/model", "readers/corpus"],
    "readers/table": ["readers/run_file"],
    "analysis/machine": ["readers/files"],
    "analysis/kernels": ["analysis/machine", "readers/storage", "metrics"],
    "analysis/forward": ["analysis/kernels", "readers/checkpoint", "readers/corpus", "metrics/routing", "metrics/loss"],
    "analysis/weights": ["analysis/kernels", "readers/checkpoint", "metrics/weights", "metrics/spectra"],
    "analysis/record": ["analysis/forward", "analysis/weights", "readers/recorded", "metrics/throughput"],
    "analysis/derive": ["analysis/record", "metrics/catalogue"],
    "analysis/runs": ["analysis/derive"],
    "analysis/comparison": ["analysis/runs"],
    "analysis/plan": ["analysis/runs"],
    "plots/figure": [],
    "plots/gnuplot": ["plots/figure", "readers/files"],
    "plots/figures": ["plots/figure", "readers/recorded", "readers/checkpoint", "metrics/catalogue"],
    "plots/findings": ["plots/figures"],
    "plots/report": ["plots/gnuplot", "plots/findings"],
    "cli": ["analysis/comparison", "analysis/plan", "plots/report", "readers/table"],
    "python": ["analysis/comparison", "metrics/catalogue"],
}

ROOT = pathlib.Path(__file__).resolve().parents[2]
INCLUDE = re.compile(r'^\s*#include\s+"([^"]+)"', re.MULTILINE)


def room_of(file):
    return str(pathlib.PurePosixPath(file).parent)


def sort_rooms():
    """Rooms from the lowest to the highest, each with everything beneath it."""
    beneath = {}

    def visit(room, path):
        if room in path:
            sys.exit("ROOMS has a circle: " + " -> ".join([*path, room]))
        if room not in beneath:
            found = set()
            for lower in ROOMS[room]:
                found |= {lower} | visit(lower, [*path, room])
            beneath[room] = found
        return beneath[room]

    for room in ROOMS:
        visit(room, [])
    return beneath


def read_includes():
    """Of each source file the files of ours that it includes."""
    tops = sorted({room.split("/")[0] for room in ROOMS})
    files = [path for top in tops for path in sorted((ROOT / top).rglob("*")) if path.suffix in (".h", ".cpp")]
    return {path.relative_to(ROOT).as_posix(): INCLUDE.findall(path.read_text()) for path in files}


def room_edges(includes):
    """(room, included room): the includes that make the edge."""
    edges = collections.defaultdict(list)
    for file, included in includes.items():
        for other in included:
            if room_of(other) != room_of(file):
                edges[room_of(file), room_of(other)].append(f"{file} includes {other}")
    return edges


def file_circles(includes):
    """Sets of more than two units (a header with its source) that include each other."""
    graph = collections.defaultdict(set)
    for file, included in includes.items():
        unit = file.rsplit(".", 1)[0]
        graph[unit] |= {other.rsplit(".", 1)[0] for other in included} - {unit}

    reached = {}
    for start in list(graph):
        seen, waiting = set(), list(graph[start])
        while waiting:
            unit = waiting.pop()
            if unit not in seen:
                seen.add(unit)
                waiting.extend(graph.get(unit, ()))
        reached[start] = seen
    circles = {frozenset({b for b in reached[a] if a in reached.get(b, ())}) for a in reached if a in reached[a]}
    return [sorted(circle) for circle in circles if len(circle) > 2]


def problems(includes, beneath):
    found = [f"{file} lies in no room" for file in includes if room_of(file) not in ROOMS]
    for (room, other), lines in sorted(room_edges(includes).items()):
        if room in ROOMS and other not in beneath[room]:
            found += [f"{line}, but {other} is not beneath {room}" for line in lines]
    found += ["a circle of files: " + ", ".join(circle) for circle in file_circles(includes)]
    return found


def print_graph(includes, beneath):
    edges = room_edges(includes)
    for room in sorted(ROOMS, key=lambda room: (len(beneath[room]), room)):
        count = sum(room_of(file) == room for file in includes)
        lower = [f"{other} ({len(lines)})" for (one, other), lines in sorted(edges.items()) if one == room]
        print(f"{room}  [{count} files]")
        for other in lower:
            print(f"    {other}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--check", action="store_true", help="fail where the rooms are not kept")
    options = parser.parse_args()
    includes, beneath = read_includes(), sort_rooms()
    if not options.check:
        print_graph(includes, beneath)
        return
    found = problems(includes, beneath)
    print("\n".join(found) or f"{len(includes)} files in {len(ROOMS)} rooms, all of them beneath one another")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
