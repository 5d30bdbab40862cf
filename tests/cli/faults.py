#!/usr/bin/env python3
"""Makes the system fail under the program: each fault ends it with exit code 1 and a sentence that says what failed,
leaves nothing half-written behind, and repeating the command gives what it would have given.

Usage: faults.py --moescope PROGRAM --source ROOT --faults LIBRARY [--only WORD]
LIBRARY is tests/support/faults.c, which makes one call fail; without it (sanitizers), what needs it is left out.
"""

import argparse
import errno
import os
import pathlib
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import time

SECONDS = 60


class Program:
    def __init__(self, options, place):
        self.path, self.place = str(options.moescope.resolve()), place
        self.faults = options.faults and str(options.faults.resolve())
        data = options.source.resolve() / "data"
        self.series = [data / "tiny-dots1" / f"tiny-dots1-0{i}T" for i in range(3)]
        self.texts = ["--corpus", data / "eval_text" / "c.jsonl", "--max-tokens", "48", "--sequence-length", "24"]
        self.run_file, self.other = place / "run.h5", place / "other.h5"
        self.succeed("analyze", *self.series[:2], *self.texts, "-o", self.run_file)
        self.succeed("analyze", self.series[2], *self.texts, "-o", self.other)

    def run(self, *words, prepare=None, **environment):
        done = subprocess.run([self.path, *map(str, words)], capture_output=True, text=True, timeout=SECONDS,
                              preexec_fn=prepare, env={**os.environ, **environment})
        assert done.returncode in (0, 1, 2, 3, 130), (words, done)
        assert "internal error" not in done.stderr, (words, done)
        return done

    def succeed(self, *words):
        done = self.run(*words)
        assert done.returncode == 0, (words, done)
        return done

    def with_fault(self, words, call, path, at, number):
        more = {"MOESCOPE_FAULT_AT": str(at)} if at else {"MOESCOPE_FAULT_COUNT": str(self.place / "count")}
        return self.run(*words, LD_PRELOAD=self.faults, MOESCOPE_FAULT_CALL=call, MOESCOPE_FAULT_PATH=path,
                        MOESCOPE_FAULT_ERRNO=str(number), **more)

    def each_fault(self, words, call, path, number, most=5):
        """The command with a fault at some of the calls that it makes, the first and the last among them."""
        before = self.left()
        self.with_fault(words, call, path, None, number)
        count = int((self.place / "count").read_text())
        for name in set(self.left()) - set(before):
            (self.place / name).unlink()
        assert count > 0, (words, call, path)
        for at in sorted({1 + i * (count - 1) // (most - 1) for i in range(most)}):
            yield at, self.with_fault(words, call, path, at, number)

    def left(self):
        return sorted(path.name for path in self.place.iterdir())


def a_thread_that_cannot_start_is_named_and_the_others_end(program):
    for words in (["analyze", *program.series[:2], *program.texts, "-o", program.place / "new.h5"],
                  ["compare", *program.series[:2], *program.texts]):
        for at in (1, 2, 3):
            done = program.with_fault([*words, "--threads", "4"], "pthread_create", "", at, errno.EAGAIN)
            assert done.returncode == 1, done
            assert done.stderr.startswith(f"moescope: cannot start thread {at + 1} of 4: "), done
        done = program.with_fault([*words, "--threads", "1"], "pthread_create", "", "1+", errno.EAGAIN)
        assert done.returncode == 1, done
        assert done.stderr.startswith("moescope: cannot start the thread that reads ahead: "), done
        for path in program.place.glob("new.h5*"):
            path.unlink()


def what_cannot_be_read_is_neither_absent_nor_zero(program):
    for words in (["compare", "--run", program.run_file, *(checkpoint.name for checkpoint in program.series[:2])],
                  ["export", program.run_file, "loss"], ["export", program.run_file, "--list"]):
        right = program.succeed(*words).stdout
        for number, reason in ((errno.EIO, "Input/output error"), (0, "the file ends early")):
            for at, done in program.each_fault(words, "pread", program.run_file.name, number):
                if done.returncode == 0:
                    assert done.stdout == right, (at, done)
                else:
                    assert done.returncode == 1 and reason in done.stderr, (at, done)


def merge_blames_the_file_that_failed(program):
    merged = program.place / "merged.h5"
    words = ["merge", program.run_file, program.other, "-o", merged, "--overwrite"]
    for number in (errno.EIO, 0):
        for call in ("pread", "pwrite"):
            for at, done in program.each_fault(words, call, merged.name, number, 4):
                assert done.returncode in (0, 1) and "contradicts" not in done.stderr, (at, done)
                assert done.returncode == 0 or merged.name in done.stderr, (at, done)
                merged.unlink(missing_ok=True)
                assert not list(program.place.glob("merged*")), program.left()


def a_full_disk_leaves_nothing_behind(program):
    new = program.place / "new.h5"
    before = program.left()
    for words in (["analyze", program.series[0], *program.texts, "--only", "forward", "-o", new],
                  ["merge", program.run_file, program.other, "-o", new]):
        for call, most in (("pwrite", 5), ("open", 2), ("fsync", 2)):
            for at, done in program.each_fault(words, call, ".partial", errno.ENOSPC, most):
                assert done.returncode in (0, 1), (call, at, done)
                if done.returncode == 1:
                    assert "No space left on device" in done.stderr, (call, at, done)
                    assert not new.exists(), (call, at, done)
                assert program.left() == sorted([*before, *(["new.h5"] if new.exists() else [])]), (call, at, done)
                new.unlink(missing_ok=True)


def a_lock_that_cannot_be_examined_is_an_error(program):
    words = ["analyze", *program.series[:2], *program.texts, "-o", program.place / "new.h5"]
    done = program.with_fault(words, "stat", "new.h5.lock", "1+", errno.EIO)
    assert done.returncode == 1 and "new.h5.lock" in done.stderr, done
    for path in program.place.glob("new.h5*"):
        path.unlink()


def what_is_no_regular_file_is_refused(program):
    pipe, plug, folder = (program.place / name for name in ("pipe", "socket", "folder"))
    os.mkfifo(pipe)
    folder.mkdir()
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(plug))
        for path, kind in ((pipe, "a named pipe"), (plug, "a socket"), (folder, "a directory"), ("/dev/zero", "a device")):
            for words in (["export", path, "loss"], ["plot", path, "loss", "-o", program.place / "x.svg"],
                          ["report", path, "-o", program.place / "x.html"], ["compare", "--run", path, "a", "b"],
                          ["merge", path, program.other, "-o", program.place / "m.h5"]):
                done = program.run(*words)
                assert (done.returncode, done.stderr.startswith(f"moescope: {path}: is {kind}")) == (3, True), done
    plug.unlink()
    pipe.unlink()
    folder.rmdir()
    for left in program.place.glob("*.lock"):
        left.unlink()


def commands_of_all_kinds(program):
    new = program.place / "new.h5"
    return (["inspect", program.series[0]], ["export", program.run_file, "loss"], ["export", program.run_file, "--list"],
            ["compare", *program.series[:2], *program.texts, "--threads", "2"],
            ["analyze", *program.series[:2], *program.texts, "--threads", "2", "-o", new],
            ["merge", program.run_file, program.other, "-o", new],
            ["tokenize", program.series[0], program.texts[1]],
            ["plot", program.run_file, "loss", "-o", program.place / "x.svg"])


def clean(program, before):
    for name in set(program.left()) - set(before):
        (program.place / name).unlink()


def lack_of_memory_is_said_in_one_sentence(program):
    before = program.left()
    for words in commands_of_all_kinds(program):
        for mebibytes in MEMORIES:
            def limit(size=mebibytes << 20):
                resource.setrlimit(resource.RLIMIT_AS, (size, size))
            done = subprocess.run([program.path, *map(str, words)], capture_output=True, text=True, timeout=SECONDS,
                                  preexec_fn=limit)
            if "error while loading shared libraries" in done.stderr:
                continue  # the program has not begun
            assert done.returncode in (0, 1), (mebibytes, done)
            if done.returncode == 1:
                assert done.stderr.startswith("moescope: "), (mebibytes, done)
                assert "memory" in done.stderr.lower() or "cannot start" in done.stderr, (mebibytes, done)
            clean(program, before)


def a_small_stack_is_enough(program):
    before = program.left()
    for words in commands_of_all_kinds(program):
        for kibibytes in (64,):
            def limit(size=kibibytes << 10):
                resource.setrlimit(resource.RLIMIT_STACK, (size, size))
            done = program.run(*words, prepare=limit)
            assert done.returncode == 0, (kibibytes, done)
            clean(program, before)


def a_hangup_stops_cleanly_unless_it_is_ignored(program):
    new = program.place / "new.h5"
    words = [program.path, "analyze", *map(str, [*program.series, *program.texts[:2]]), "-o", str(new)]
    for ignored, codes in ((False, {130}), (True, {0})):
        def prepare(how=signal.SIG_IGN if ignored else signal.SIG_DFL):
            signal.signal(signal.SIGHUP, how)
        process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, preexec_fn=prepare)
        while process.poll() is None and not new.exists():
            time.sleep(0.001)
        process.send_signal(signal.SIGHUP)
        said = process.communicate(timeout=SECONDS)[1]
        assert process.returncode in codes, (ignored, process.returncode, said)
        assert [name for name in program.left() if name.startswith("new")] == ["new.h5"], program.left()
        new.unlink()


MEMORIES = (76, 84, 100, 160)  # MiB of address space, of which the libraries take some 70
NEEDS_LIBRARY = (a_thread_that_cannot_start_is_named_and_the_others_end, what_cannot_be_read_is_neither_absent_nor_zero,
                 merge_blames_the_file_that_failed, a_full_disk_leaves_nothing_behind,
                 a_lock_that_cannot_be_examined_is_an_error, lack_of_memory_is_said_in_one_sentence,
                 a_small_stack_is_enough)
ALWAYS = (what_is_no_regular_file_is_refused, a_hangup_stops_cleanly_unless_it_is_ignored)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--moescope", type=pathlib.Path, required=True)
    parser.add_argument("--source", type=pathlib.Path, required=True)
    parser.add_argument("--faults", type=pathlib.Path)
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    failures = []
    with tempfile.TemporaryDirectory(prefix="moescope-faults-") as place:
        program = Program(options, pathlib.Path(place).resolve())
        before = program.left()
        for claim in (*ALWAYS, *(NEEDS_LIBRARY if options.faults else ())):
            if options.only not in claim.__name__:
                continue
            start = time.monotonic()
            try:
                claim(program)
                assert program.left() == before, f"left behind: {program.left()}"
            except (AssertionError, subprocess.TimeoutExpired) as failure:
                failures.append(f"{claim.__name__}: {failure!r}")
                for name in set(program.left()) - set(before):
                    subprocess.run(["rm", "-rf", str(program.place / name)], check=True)
            print(f"{time.monotonic() - start:6.2f} s  {claim.__name__.replace('_', ' ')}", flush=True)
    if failures:
        sys.exit("\n".join(failures))


main()
