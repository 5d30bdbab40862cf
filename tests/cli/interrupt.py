#!/usr/bin/env python3
"""Ctrl-C while a series is analysed: exit code 130, a run file that opens, and the same command goes on from there.

Usage: interrupt.py --moescope PROGRAM --source ROOT [--quick]      (--quick: for a program that is slow)
"""

import pathlib
import signal
import subprocess
import sys
import tempfile
import time

from analysis import TABLES, analysis, go_on, read_options, require_undisturbed


def wait_for(condition, what):
    for _ in range(6000):
        if condition():
            return
        time.sleep(0.01)
    sys.exit(f"waited in vain for {what}")


def main():
    options = read_options()
    series = [str(options.data / "tiny-dots1" / f"tiny-dots1-0{i}T") for i in range(5)]
    command = analysis(options, series, "--verbose")

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

        said = go_on(command, run)
        assert "\nreused    " in said, said
        require_undisturbed(command, run, pathlib.Path(place) / "whole.h5", (*TABLES, "/metrics/router_saturation"))
    print("interrupted, continued, equal")


main()
