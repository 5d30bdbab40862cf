"""The same inputs give the same bytes in every dataset, whatever the threads, the memory and the day."""
import re

import numpy as np

import analysis_run
from analysis_run import QUICK, TINY, analyze, differing_datasets, evaluation_sequences, moescope, write_corpus

SERIES = [TINY / "tiny-dots1-05T", TINY / "tiny-dots1-11.2T"]


class DeterminismTest(analysis_run.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        sequences, _ = evaluation_sequences()
        lengths = np.random.default_rng(3).integers(1, 150, len(sequences))  # cuts no two batches alike
        cut = [(domain, ids[:length]) for (domain, ids), length in zip(sequences, lengths)]
        cls.corpus = write_corpus(cls.directory / "corpus", cut)
        cls.baseline = {precision: cls.run_analysis(f"baseline_{precision}", precision, "--threads", 2) for precision in ("f32", "bf16")}

    @classmethod
    def run_analysis(cls, name, precision, *options):
        return analyze(cls.directory / f"{name}.h5", SERIES, *cls.corpus, "--precision", precision,
                       "--save", "router_logits,hidden_states,logits", *options)

    def same_bytes(self, name, *options):
        for precision in ("bf16",) if QUICK else self.baseline:
            with self.subTest(precision):
                other = self.run_analysis(f"{name}_{precision}", precision, *options)
                self.assertEqual(differing_datasets(self.baseline[precision], other), [])

    def test_repeating_a_run_gives_the_same_bytes(self):
        self.same_bytes("again", "--threads", 2)

    def test_one_and_three_threads_give_the_same_bytes_as_two(self):
        for threads in (1, 3):
            self.same_bytes(f"threads_{threads}", "--threads", threads)

    def least_memory(self):
        """What the program asks for when it is given too little."""
        refused = moescope("analyze", *SERIES, *self.corpus, "--memory", "1MiB", "-o", self.directory / "refused.h5")
        self.assertEqual(refused.returncode, 2)
        return re.search(r"expected at least (\d+MiB)", refused.stderr)[1]

    def test_the_least_memory_gives_the_same_bytes(self):
        self.same_bytes("least_memory", "--memory", self.least_memory())

    def test_the_least_memory_takes_several_passes_over_the_weights(self):
        """Otherwise the test above would show nothing."""
        with_little, with_much = self.bytes_read(self.least_memory()), self.bytes_read("1GiB")
        self.assertGreater(with_little, 1.9 * with_much)

    def bytes_read(self, memory):
        done = moescope("analyze", *SERIES, *self.corpus, "--only", "forward", "--memory", memory,
                        "-o", self.directory / f"read_{memory}.h5")
        return float(re.search(r"read +([\d.]+) MB of weights", done.stdout)[1])

    def test_comparison_notices_another_precision(self):
        self.assertIn("/loss/nll", differing_datasets(*self.baseline.values()))


if __name__ == "__main__":
    analysis_run.main()
