#!/usr/bin/env python3
"""Ctrl-C while a series is analysed: exit code 130, a run file that opens, and the same command goes on from there.

Usage: interrupt.py --moescope PROGRAM --source ROOT [--quick]      (--quick: for a program that is slow)
"""

import argparse
import pathlib
import signal
import subprocess
import sys
import tempfile
import time


def wait_for(condition, what):
    for _ in range(6000):
        if condition():
            return
        time.sleep(0.01)
    sys.exit(f"waited in vain for {what}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--moescope", type=pathlib.Path, required=True)
    parser.add_argument("--source", type=pathlib.Path, required=True)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    program, data = options.moescope.resolve(), options.source.resolve() / "data"
    series = [str(data / "tiny-dots1" / f"tiny-dots1-0{i}T") for i in range(5)]
    command = [str(program), "analyze", *series, "--corpus", *map(str, sorted(data.glob("eval_text/*.jsonl"))),
               "--threads", "1", "--verbose", *(["--max-tokens", "256"] if options.quick else []), "-o"]

    with tempfile.TemporaryDirectory(prefix="moescope-interrupt-") as place:
        run = pathlib.Path(place) / "run.h5"
        log = pathlib.Path(place) / "log"
        with log.open("w") as stderr:
            first = subprocess.Popen([*command, str(run)], stderr=stderr, stdout=subprocess.DEVNULL)
            # The second forward pass has begun: one is finished, four are not.
            wait_for(lambda: first.poll() is not None or "tiny-dots1-01T" in log.read_text(), "the second forward pass")
            first.send_signal(signal.SIGINT)
            code = first.wait(timeout=300)
        said = log.read_text()
        assert code == 130, (code, said)
        assert f"moescope: interrupted: {run} keeps the forward passes of " in said, said
        assert f"\nhint: to go on: moescope analyze {series[0]}" in said, said
        assert sorted(p.name for p in pathlib.Path(place).iterdir()) == ["log", "run.h5"]

        again = subprocess.run([*command, str(run)], capture_output=True, text=True, timeout=300)
        assert again.returncode == 0, again
        assert "\nreused    " in again.stdout, again.stdout
        whole = pathlib.Path(place) / "whole.h5"
        subprocess.run([*command, str(whole)], capture_output=True, check=True, timeout=300)
        for name in ("/routing/topk_index", "/routing/entropy", "/loss/nll", "/weights/inner_product",
                     "/metrics/router_saturation", "/metrics/loss"):
            tables = [subprocess.run([str(program), "export", str(file), name], capture_output=True, check=True).stdout
                      for file in (run, whole)]
            assert tables[0] == tables[1], f"{name} differs from that of an uninterrupted run"
    print("interrupted, continued, equal")


main()
