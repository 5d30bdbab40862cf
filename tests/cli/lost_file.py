#!/usr/bin/env python3
"""A shard is cut short while the series is read: one sentence, exit code 1, and the same command goes on once it is
back.

Usage: lost_file.py --moescope PROGRAM --source ROOT [--quick]      (--quick: for a program that is slow)
"""

import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from analysis import TABLES, analysis, go_on, read_options, require_undisturbed

SENTENCE = "the file ends early"


def finished_passes(program, run):
    done = subprocess.run([program, "export", str(run), "/status/forward"], capture_output=True, text=True, timeout=300)
    return [line for line in done.stdout.splitlines() if line.endswith(",1")]


def lose_a_shard(command, run, shard, passes):
    """Runs the command and cuts the shard, which belongs to the last of so many passes, short after the first: what
    gives it back, and what the command said, but for lines of progress."""
    process = subprocess.Popen([*command, str(run)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    while process.poll() is None and not finished_passes(command[0], run):
        time.sleep(0.001)
    process.send_signal(signal.SIGSTOP)
    if not 0 < len(finished_passes(command[0], run)) < passes - 1:
        sys.exit(f"the passes were not seen under way: {process.kill()} {process.communicate()}")
    whole, times = shard.read_bytes(), shard.stat()
    os.truncate(shard, 0)
    process.send_signal(signal.SIGCONT)
    _, said = process.communicate(timeout=300)
    assert process.returncode == 1, (process.returncode, said)

    def give_back():  # with its time: a file that was written to since is another one
        shard.write_bytes(whole)
        os.utime(shard, ns=(times.st_atime_ns, times.st_mtime_ns))
    return give_back, re.sub(r"^progress: .*\n", "", said, flags=re.M)


def main():
    options = read_options()

    with tempfile.TemporaryDirectory(prefix="moescope-lost-file-") as name:
        place = pathlib.Path(name).resolve()
        series = [place / f"tiny-dots1-0{i}T" for i in range(5)]
        for checkpoint in series:
            shutil.copytree(options.data / "tiny-dots1" / checkpoint.name, checkpoint)
        command = analysis(options, series)
        run = place / "run.h5"

        lost = next(series[-1].glob("*.safetensors"))
        give_back, said = lose_a_shard(command, run, lost, len(series))
        assert said.startswith(f"moescope: {lost}: {SENTENCE}") and said.count("\n") == 1, said

        # What is finished is in the unfinished file, which opens.
        subprocess.run([command[0], "export", str(run), "/loss/nll"], capture_output=True, check=True, timeout=300)

        give_back()
        said = go_on(command, run)
        reused = re.search(r"^reused +([1-4]) of 5 forward passes", said, re.M)
        assert reused, said
        require_undisturbed(command, run, place / "uninterrupted.h5", TABLES)
    print(f"lost {lost.parent.name}, told, continued after {reused.group(1)} forward passes, equal")


main()
