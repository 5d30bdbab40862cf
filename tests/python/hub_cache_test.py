"""The worked example of the README, word for word, on a cache as huggingface_hub lays it out.

In place of huggingface-cli stands this file: `hub_cache_test.py download REPOSITORY [FILE...] --revision R` makes a
small OLMoE of random weights, another for each revision, with the tokenizer of the demo series.
"""
import argparse
import hashlib
import os
import pathlib
import re
import subprocess
import sys
import tempfile

REVISIONS = ["step5000-tokens20B", "step600000-tokens2516B", "step1200000-tokens5033B"]


def git_hash(content):
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def add_file(repository, snapshot, source):
    """What is large has its SHA-256 for a name, what is small that of git."""
    content = source.read_bytes()
    blob = hashlib.sha256(content).hexdigest() if source.suffix == ".safetensors" else git_hash(content)
    (repository / "blobs" / blob).write_bytes(content)
    if not (snapshot / source.name).exists():
        (snapshot / source.name).symlink_to(f"../../blobs/{blob}")


def download(name, files, revision):
    from analysis_run import TINY
    from family_maker import make_family
    hub = pathlib.Path(os.environ["HOME"], ".cache/huggingface/hub")
    repository = hub / ("models--" + name.replace("/", "--"))
    commit = hashlib.sha1(revision.encode()).hexdigest()
    snapshot = repository / "snapshots" / commit
    for place in (snapshot, repository / "blobs", repository / "refs", repository / ".no_exist" / commit,
                  hub / ".locks" / repository.name):
        place.mkdir(parents=True, exist_ok=True)
    (repository / ".no_exist" / commit / "chat_template.jinja").touch()
    (repository / "refs" / revision).write_text(commit)
    with tempfile.TemporaryDirectory() as made:
        make_family(made, "olmoe", REVISIONS.index(revision), shards=3, vocab_size=1024)
        sources = [*pathlib.Path(made).iterdir(), next(TINY.glob("*/tokenizer.json"))]
        for source in sources:
            if not files or source.name in files:
                add_file(repository, snapshot, source)


def command_line():
    parser = argparse.ArgumentParser()
    parser.add_argument("command", choices=["download"])
    parser.add_argument("name")
    parser.add_argument("files", nargs="*")
    parser.add_argument("--revision", required=True)
    given = parser.parse_args()
    download(given.name, given.files, given.revision)


if sys.argv[1:2] == ["download"]:
    command_line()
    sys.exit()

import h5py  # noqa: E402: the tests alone need it

import analysis_run  # noqa: E402
from analysis_run import BINARY, DATA  # noqa: E402


class ReadmeTest(analysis_run.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        programs = cls.directory / "bin"
        programs.mkdir()
        (programs / "moescope").symlink_to(pathlib.Path(BINARY).resolve())
        stand_in = programs / "huggingface-cli"
        stand_in.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{pathlib.Path(__file__).resolve()}" "$@"\n')
        stand_in.chmod(0o755)
        (cls.directory / "texts.jsonl").write_bytes((DATA / "eval_text/math.jsonl").read_bytes())
        readme = (DATA.parent / "README.md").read_text()
        cls.script = re.search(r"### From the hub to a report\n.*?```\n(.*?)```", readme, re.DOTALL).group(1)
        cls.done = subprocess.run(
            ["bash", "-e", "-c", cls.script], cwd=cls.directory, capture_output=True, text=True, check=False,
            env={**os.environ, "HOME": str(cls.directory), "PATH": f"{programs}:{os.environ['PATH']}"})

    def test_the_commands_succeed_without_a_complaint(self):
        self.assertEqual(self.done.returncode, 0)
        notes = [f"note: {revision}: no file of weights is there; sizes are those that config.json describes"
                 for revision in REVISIONS]
        notes.append("note: no weights are there on which to measure reading: the time is that of computing")
        self.assertEqual(self.done.stderr.splitlines(), notes)

    def test_the_example_names_the_revisions_of_this_test(self):
        self.assertIn(" ".join(REVISIONS), self.script)

    def test_a_plan_is_made_before_the_weights_are_there(self):
        self.assertEqual(re.findall(r"^  (step\S+) .* not there yet$", self.done.stdout, re.M), REVISIONS)

    def test_revisions_are_inspected_in_the_order_of_training(self):
        self.assertIn("a series of 3 checkpoints, all complete: olmoe", self.done.stdout)
        self.assertEqual(re.findall(r"^  (step\S+) +([\d.]+ [BT]) +(\d+)  ", self.done.stdout, re.M),
                         [(REVISIONS[0], "20.0 B", "5000"), (REVISIONS[1], "2.5 T", "600000"),
                          (REVISIONS[2], "5.0 T", "1200000")])

    def test_the_run_file_knows_names_tokens_and_steps(self):
        with h5py.File(self.directory / "olmoe.h5") as run:
            self.assertEqual(list(run["checkpoint"].asstr()), REVISIONS)
            self.assertEqual(list(run["tokens_seen"]), [20e9, 2516e9, 5033e9])
            self.assertEqual(list(run["step"]), [5000, 600000, 1200000])
            self.assertTrue((run["status/forward"][()] == 1).all())

    def test_the_report_shows_them(self):
        page = (self.directory / "olmoe.html").read_text()
        for revision in REVISIONS:
            self.assertIn(revision, page)
        self.assertTrue(list((self.directory / "olmoe.figures").glob("*.svg")))

    def test_two_of_them_are_compared_by_name(self):
        self.assertRegex(self.done.stdout, re.compile(
            rf"^{REVISIONS[0]} \(20.0 B tokens\) -> {REVISIONS[2]} \(5.0 T tokens\)$", re.M))


if __name__ == "__main__":
    analysis_run.main()
