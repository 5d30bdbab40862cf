"""What tests of interrupted analyses share: how one is asked for, goes on, and is held against one that nobody disturbed.
"""

import argparse
import pathlib
import subprocess

TABLES = ("/routing/topk_index", "/routing/entropy", "/loss/nll", "/weights/inner_product", "/metrics/loss")


def read_options():
    """The test's own: moescope, source, quick."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--moescope", type=pathlib.Path, required=True)
    parser.add_argument("--source", type=pathlib.Path, required=True)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    options.moescope, options.data = options.moescope.resolve(), options.source.resolve() / "data"
    return options


def analysis(options, series, *more):
    """The command, but for the run file."""
    return [str(options.moescope), "analyze", *map(str, series),
            "--corpus", *map(str, sorted(options.data.glob("eval_text/*.jsonl"))), "--threads", "1", *more,
            *(["--max-tokens", "256"] if options.quick else []), "-o"]


def go_on(command, run):
    """What the command says that completes the run file."""
    done = subprocess.run([*command, str(run)], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done
    return done.stdout


def require_undisturbed(command, run, other, tables):
    """The same command, undisturbed, fills the tables of the `other` run file with the same."""
    go_on(command, other)
    for table in tables:
        texts = [subprocess.run([command[0], "export", str(file), table], capture_output=True, check=True).stdout
                 for file in (run, other)]
        assert texts[0] == texts[1], f"{table} differs from that of an uninterrupted run"
