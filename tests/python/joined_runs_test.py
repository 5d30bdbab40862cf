"""Runs that were made in parts, one after the other, or on different machines are the run that was made at once."""
import json
import os
import pathlib
import resource
import shutil
import subprocess
import unittest

import h5py
import numpy as np

import analysis_run
from analysis_run import BINARY, QUICK, TINY, analyze, differing_datasets, evaluation_sequences, moescope, write_corpus

NAMES = ("00T", "01T", "05T", "11.2T")
ARRIVAL = (1, 3, 2, 0)  # an order in which they may arrive


def checkpoint(name):
    return TINY / f"tiny-dots1-{name}"


class JoinedRunsTest(analysis_run.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        sequences, _ = evaluation_sequences()
        cls.corpus = write_corpus(cls.directory / "corpus", [(domain, ids[:48]) for domain, ids in sequences])
        cls.series = [checkpoint(name) for name in NAMES]
        cls.options = (*cls.corpus, "--save", "router_logits", "--spectra", "none" if QUICK else "sample")
        cls.whole = analyze(cls.directory / "whole.h5", cls.series, *cls.options)

    def path(self, name):
        return self.directory / f"{self.id().rsplit('.', 1)[1]}_{name}"

    def merge(self, parts, output):
        done = moescope("merge", *parts, "-o", output, "--quiet")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return output

    def refused(self, code, *arguments):
        """The one sentence with which a command is refused."""
        done = moescope(*arguments)
        self.assertEqual(done.returncode, code, done.stderr)
        lines = done.stderr.splitlines()
        self.assertTrue(lines[0].startswith("moescope: "), done.stderr)
        self.assertTrue(len(lines) == 1 or (len(lines) == 2 and lines[1].startswith("hint: ")), done.stderr)
        return lines[0]

    def weights_of(self, run, before, after):
        shown = json.loads(moescope("compare", "--run", run, before, after, "--json").stdout)
        return {**shown["weights"], "error": shown["weights_standard_error"]}

    def test_parts_of_an_analysis_are_the_whole(self):
        for count in (2,) if QUICK else (2, 5):
            with self.subTest(count):
                parts = [analyze(self.path(f"{i}_of_{count}.h5"), self.series, *self.options, "--part", f"{i}/{count}")
                         for i in range(1, count + 1)]
                joined = self.merge(reversed(parts), self.path(f"{count}.h5"))
                self.assertEqual(differing_datasets(self.whole, joined), [])

    @unittest.skipIf(QUICK, "the same code as in the other tests")
    def test_an_analysis_completes_what_parts_have_left(self):
        parts = [analyze(self.path(f"{i}.h5"), self.series, *self.options, "--part", f"{i}/3") for i in (1, 3)]
        joined = self.merge(parts, self.path("joined.h5"))
        self.assertNotEqual(differing_datasets(self.whole, joined), [])
        done = moescope("analyze", *self.series, *self.options, "-o", joined)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("is continued", done.stderr)
        self.assertEqual(differing_datasets(self.whole, joined), [])

    def test_appending_one_by_one_is_all_at_once(self):
        run = self.path("run.h5")
        first, *others = [self.series[i] for i in ARRIVAL]
        analyze(run, [first], *self.options)
        for other in others:
            done = moescope("analyze", other, "--append", run, "--quiet")
            self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(differing_datasets(self.whole, run), [])
        self.assertFalse(pathlib.Path(f"{run}.append").exists())

    def test_appending_what_is_there_changes_nothing(self):
        run = self.path("run.h5")
        shutil.copy(self.whole, run)
        before = run.read_bytes()
        self.assertEqual(moescope("analyze", self.series[2], "--append", run, "--quiet").returncode, 0)
        self.assertEqual(run.read_bytes(), before)

    def test_a_deleted_checkpoint_keeps_its_record_and_its_sketches(self):
        run, copy = self.path("run.h5"), self.path("copy") / "tiny-dots1-00T"
        shutil.copytree(checkpoint("00T"), copy)
        analyze(run, [copy, checkpoint("05T")], *self.options)
        with h5py.File(run) as before:
            record = {name: before[name][()] for name in ("/loss/nll", "/weights/norm", "/weights/inner_product")}
        shutil.rmtree(copy)
        done = moescope("analyze", checkpoint("11.2T"), "--append", run)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("tiny-dots1-00T is not there any more: its distances to new checkpoints are estimated", done.stderr)
        with h5py.File(run) as after, h5py.File(self.whole) as whole:
            np.testing.assert_array_equal(after["/loss/nll"][:2], record["/loss/nll"])
            np.testing.assert_array_equal(after["/weights/norm"][:2], record["/weights/norm"])
            np.testing.assert_array_equal(after["/weights/inner_product"][:, :2, :2], record["/weights/inner_product"])
            self.assertTrue(np.isnan(after["/weights/inner_product"][:, 0, 2]).all())
            # 05T and 11.2T were there together.
            both = whole["/weights/relative_drift"][2, 3]
            np.testing.assert_array_equal(after["/weights/relative_drift"][1, 2], both)
            # What a deleted checkpoint's distance was, by its sketch.
            exact = whole["/metrics/role_relative_drift"][0, 3]
            estimate, error = (after[f"/metrics/role_sketched_drift{suffix}"][0, 2] for suffix in ("", "_error"))
            there = ~np.isnan(exact)
            self.assertTrue((np.abs(estimate - exact)[there] <= 5 * error[there] + 1e-6 * exact[there]).all())
            np.testing.assert_array_equal(after["/status/pair_done"], [[1, 1, 0], [1, 1, 1], [0, 1, 1]])
            np.testing.assert_array_equal(after["/status/weights"], 1)
        # What compare shows of the two says that it is an estimate, and is one.
        done = moescope("compare", "--run", run, "tiny-dots1-00T", "tiny-dots1-11.2T")
        self.assertIn("Estimates from sketches, as the two were never read side by side; standard error at most 2.2 %", done.stdout)
        shown = self.weights_of(run, "tiny-dots1-00T", "tiny-dots1-11.2T")
        exact = self.weights_of(self.whole, "tiny-dots1-00T", "tiny-dots1-11.2T")
        self.assertAlmostEqual(shown["error"], 0.5 ** 0.5 / 32)
        self.assertEqual(exact["error"], 0)
        for one, other in [(shown["model"], exact["model"]), *zip(shown["roles"], exact["roles"], strict=True)]:
            if other["relative_drift"] is None:  # of a bias that begins as zero
                self.assertIsNone(one["relative_drift"])
                continue
            self.assertAlmostEqual(one["relative_drift"] / other["relative_drift"], 1, delta=5 * shown["error"])
            self.assertAlmostEqual(one["norm_after"], other["norm_after"], delta=1e-9 * other["norm_after"])
        between = self.weights_of(run, "tiny-dots1-05T", "tiny-dots1-11.2T")
        self.assertEqual(between["error"], 0)
        # Another one still joins, and the record of the deleted one stays.
        self.assertEqual(moescope("analyze", checkpoint("01T"), "--append", run, "--quiet").returncode, 0)
        with h5py.File(run) as after, h5py.File(self.whole) as whole:
            np.testing.assert_array_equal(after["/loss/nll"], whole["/loss/nll"])
            np.testing.assert_array_equal(after["/weights/norm"], whole["/weights/norm"])
            np.testing.assert_array_equal(after["/weights/sketch"], whole["/weights/sketch"])
            self.assertEqual(after["/weights/inner_product"][:, 0, 2].tolist(), record["/weights/inner_product"][:, 0, 1].tolist())
            np.testing.assert_array_equal(after["/weights/inner_product"][:, 1:, 1:], whole["/weights/inner_product"][:, 1:, 1:])
        # 00T and 05T were compared once, before 01T came between them.
        once, exact = (self.weights_of(file, "tiny-dots1-00T", "tiny-dots1-05T") for file in (run, self.whole))
        self.assertEqual(once["error"], 0)
        self.assertAlmostEqual(once["model"]["relative_drift"] / exact["model"]["relative_drift"], 1, delta=1e-12)

    @unittest.skipIf(QUICK, "the same code as in the other tests")
    def test_domains_and_passes_that_were_made_apart_are_joined(self):
        sequences, _ = evaluation_sequences()
        cut = [(domain, ids[:48]) for domain, ids in sequences]
        domains = list(dict.fromkeys(domain for domain, _ in cut))
        parts = []
        for number, chosen in enumerate((domains[:1], domains[1:])):
            corpus = write_corpus(self.path(f"corpus_{number}"), [one for one in cut if one[0] in chosen])
            parts.append(analyze(self.path(f"{number}.h5"), self.series, *corpus, "--only", "forward", "--save", "router_logits"))
        parts.append(analyze(self.path("weights.h5"), self.series, "--only", "weights", "--spectra", "none" if QUICK else "sample"))
        self.assertEqual(differing_datasets(self.whole, self.merge(parts, self.path("joined.h5"))), [])

    def test_what_does_not_fit_is_named(self):
        run = self.path("run.h5")
        other = analyze(self.path("f32.h5"), self.series[:1], *self.options, "--precision", "f32")
        self.assertIn("precision: differs (expected 'bf16' as in ", self.refused(3, "merge", self.whole, other, "-o", run))
        short = write_corpus(self.path("short"), [(domain, ids[:9]) for domain, ids in evaluation_sequences()[0]])
        texts = analyze(self.path("texts.h5"), self.series[:1], *short, *self.options[len(self.corpus):])
        self.assertIn("is in another part too, with other texts", self.refused(3, "merge", self.whole, texts, "-o", run))
        imposter = self.path("imposter") / "tiny-dots1-00T"
        shutil.copytree(checkpoint("01T"), imposter)
        changed = analyze(self.path("imposter.h5"), [imposter], *self.options)
        self.assertIn("checkpoint 'tiny-dots1-00T': is not the one of that name in another part",
                      self.refused(3, "merge", self.whole, changed, "-o", run))
        part = analyze(self.path("part.h5"), self.series, *self.options, "--part", "1/4", "--only", "forward")
        self.assertIn("is part 1/4 once more", self.refused(3, "merge", part, part, "-o", run))
        self.assertIn("exists", self.refused(2, "merge", self.whole, "-o", part))
        self.assertFalse(run.exists())

    def test_numbers_that_contradict_each_other_are_named(self):
        twisted = self.path("twisted.h5")
        shutil.copy(self.whole, twisted)
        with h5py.File(twisted, "r+") as file:
            file["/loss/nll"][1, 3] += 1
        said = self.refused(3, "merge", self.whole, twisted, "-o", self.path("run.h5"))
        self.assertIn("/loss/nll: contradicts another part", said)
        self.assertFalse(self.path("run.h5").exists())

    def test_what_has_changed_is_noticed_and_named(self):
        run, copy = self.path("run.h5"), self.path("copy") / "tiny-dots1-00T"
        shutil.copytree(checkpoint("00T"), copy)
        series = [copy, checkpoint("05T")]
        analyze(run, series, *self.options)
        before = run.read_bytes()
        again = ("analyze", *series, *self.options, "-o", run)
        self.assertIn("(precision: recorded 'bf16', now 'f32')", self.refused(2, *again, "--precision", "f32"))
        self.assertIn("(it is of another corpus)", self.refused(2, *again, "--max-tokens", "7"))
        self.assertIn("(it is of 2 checkpoints, this of 1)", self.refused(2, "analyze", copy, *self.options, "-o", run))
        shutil.rmtree(copy)
        shutil.copytree(checkpoint("01T"), copy)
        self.assertIn("(checkpoint 'tiny-dots1-00T' has changed since)", self.refused(2, *again))
        self.assertIn("does not exist, so there is nothing to resume",
                      self.refused(2, "analyze", *series, *self.options, "--resume", "-o", self.path("absent.h5")))
        self.assertEqual(run.read_bytes(), before)

    def test_a_full_disk_is_one_sentence_and_harms_nothing(self):
        run = self.path("run.h5")
        shutil.copy(self.whole, run)
        before = run.read_bytes()

        def limited():  # what a full disk does, a limit on the size of a file does as well (its signal is ignored by Python)
            resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, resource.RLIM_INFINITY))

        for arguments in (("analyze", *self.series[:2], *self.options, "--overwrite", "-o", run),
                          ("merge", self.whole, "--overwrite", "-o", run)):
            done = subprocess.run([BINARY, *map(str, arguments)], capture_output=True, text=True, preexec_fn=limited,
                                  restore_signals=False)
            self.assertEqual(done.returncode, 1, done.stderr)
            self.assertRegex(done.stderr, r"^moescope: \S+: .*: File too large\n$")
            self.assertEqual(run.read_bytes(), before)

    @unittest.skipUnless(os.geteuid() == 0, "needs the right to mount")
    def test_a_full_file_system_is_one_sentence_and_the_run_goes_on_elsewhere(self):
        disk = self.path("disk")
        disk.mkdir()
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", disk], capture_output=True).returncode != 0:
            self.skipTest("needs the right to mount")
        try:
            said = self.refused(1, "analyze", *self.series, *self.options, "-o", disk / "run.h5")
            self.assertIn("No space left on device", said)
            self.assertFalse((disk / "run.h5").exists())
        finally:
            subprocess.run(["umount", disk], check=True)

    def test_a_place_that_cannot_be_written_to_is_one_sentence(self):
        output = self.path("absent") / "run.h5"
        self.assertIn(f"folder '{output.parent}': No such file or directory",
                      self.refused(1, "analyze", *self.series[:1], *self.options, "-o", output))
        if os.geteuid() == 0:
            return  # whom no permission stops
        locked = self.path("locked")
        locked.mkdir(mode=0o500)
        self.assertIn("Permission denied", self.refused(1, "analyze", *self.series[:1], *self.options, "-o", locked / "run.h5"))


if __name__ == "__main__":
    analysis_run.main()
