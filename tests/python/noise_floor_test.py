"""What README says of the noise of bf16, by the script that it names."""
import re
import subprocess
import sys

import analysis_run
from analysis_run import DATA, TINY, analyze

ROOT = DATA.parent
# Those with the largest changes of all: of a token's loss, a domain's loss, a layer's choices.
WORST = ["tiny-dots1-06T", "tiny-dots1-07T", "tiny-dots1-11.2T"]


class NoiseFloorTest(analysis_run.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        texts = sorted((DATA / "eval_text").glob("*.jsonl"))
        runs = [analyze(cls.directory / f"{precision}.h5", [TINY / name for name in WORST], "--corpus", *texts,
                        "--sequence-length", "256", "--only", "forward", "--precision", precision)
                for precision in ("f32", "bf16")]
        script = ROOT / "python/examples/noise_floor.py"
        cls.told = subprocess.run([sys.executable, "-W", "error", script, *runs], capture_output=True, text=True, check=True).stdout

    def number(self, pattern):
        return float(re.search(pattern, self.told)[1])

    def says(self, text):
        readme = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
        self.assertIn(text, readme)

    def test_readme_states_the_largest_changes_that_are_measured(self):
        self.says("the loss of a domain by at most 0.0015 nats")
        self.assertAlmostEqual(self.number(r"domain: at most ([\d.]+)"), 0.0015, delta=0.0003)
        self.says("that of a single token by 0.0025 in the median, up to 1.9")
        self.assertAlmostEqual(self.number(r"token: at most ([\d.]+)"), 1.9, delta=0.4)
        self.says("0.29 % of the last are others (0.43 % at 11.2T)")
        self.assertAlmostEqual(self.number(r"layer 5: [\d.]+ %, at most ([\d.]+)"), 0.43, delta=0.05)

    def test_readme_states_how_many_of_the_changed_choices_have_small_margins(self):
        self.says("a third have one of the equally many smallest margins, three quarters one of the smallest 5 %")
        # Of three of the thirteen checkpoints, with more noise than most.
        self.assertAlmostEqual(self.number(r"of these (\d+) %"), 33, delta=10)
        self.assertAlmostEqual(self.number(r"(\d+) % among the smallest 5 %"), 75, delta=10)


if __name__ == "__main__":
    analysis_run.main()
