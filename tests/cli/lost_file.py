#!/usr/bin/env python3
"""A shard is cut short while it is mapped: one sentence, exit code 1, and the same command goes on once it is back.

Which sentence depends on where the program is just then: between two looks at the mapped bytes it finds out by itself
that the file is shorter. It is tried until the other one was seen, that of the signal.

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
SIGNAL_SENTENCE = "the file became shorter while it was being read, or can no longer be read"


def mapped_parts(process, shard):
    """The parts of the shard that the process has mapped."""
    lines = pathlib.Path(f"/proc/{process.pid}/maps").read_text().splitlines()
    return {line for line in lines if line.endswith(str(shard))}


def stop_while_mapped(process, shards):
    """Stops the process while it has read ahead, and returns the shard that it has mapped; None if it has ended.

    A part that is gone tells that the layers are under way (before, embeddings are read without a map). At least
    three must be there: one may be in use and hardly be looked at again, one may be about to come, one is certainly
    still to be used."""
    seen = {shard: set() for shard in shards}

    def is_under_way(shard):
        parts = mapped_parts(process, shard)
        seen[shard] |= parts
        return len(parts) >= 3 and seen[shard] - parts

    while process.poll() is None:
        for shard in shards:
            if not is_under_way(shard):
                continue
            process.send_signal(signal.SIGSTOP)
            os.waitpid(process.pid, os.WUNTRACED)
            if is_under_way(shard):
                return shard
            process.send_signal(signal.SIGCONT)
        time.sleep(0.0005)
    return None


def lose_a_shard(command, shards):
    """Runs the command and cuts a shard short under way: the shard, what gives it back, and what the command
    said, but for lines of progress."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    lost = stop_while_mapped(process, shards)
    if lost is None:
        sys.exit(f"no shard was mapped while the series was analysed: {process.communicate()}")
    whole, times = lost.read_bytes(), lost.stat()
    os.truncate(lost, 0)
    process.send_signal(signal.SIGCONT)
    _, said = process.communicate(timeout=300)
    assert process.returncode == 1, (process.returncode, said)

    def give_back():  # with its time: a file that was written to since is another one
        lost.write_bytes(whole)
        os.utime(lost, ns=(times.st_atime_ns, times.st_mtime_ns))
    return lost, give_back, re.sub(r"^progress: .*\n", "", said, flags=re.M)


def main():
    options = read_options()

    with tempfile.TemporaryDirectory(prefix="moescope-lost-file-") as name:
        place = pathlib.Path(name).resolve()
        series = [place / f"tiny-dots1-0{i}T" for i in range(5)]
        for checkpoint in series:
            shutil.copytree(options.data / "tiny-dots1" / checkpoint.name, checkpoint)
        command = analysis(options, series)
        run = place / "run.h5"

        # The first checkpoint is left alone, so that one forward pass is finished.
        shards = [shard for checkpoint in series[1:] for shard in checkpoint.glob("*.safetensors")]
        for _ in range(20):
            run.unlink(missing_ok=True)
            lost, give_back, said = lose_a_shard([*command, str(run)], shards)
            if said == f"moescope: {lost}: {SIGNAL_SENTENCE}\n":
                break
            assert said.startswith(f"moescope: {lost}: {SENTENCE}") and said.count("\n") == 1, said
            give_back()
        else:
            sys.exit("the signal was never seen")

        # What is finished is in the unfinished file, which opens.
        subprocess.run([command[0], "export", str(run), "/loss/nll"], capture_output=True, check=True, timeout=300)

        give_back()
        said = go_on(command, run)
        reused = re.search(r"^reused +([1-4]) of 5 forward passes", said, re.M)
        assert reused, said
        require_undisturbed(command, run, place / "uninterrupted.h5", TABLES)
    print(f"lost {lost.parent.name}, told, continued after {reused.group(1)} forward passes, equal")


main()
