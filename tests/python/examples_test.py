"""The examples and the tutorial of the Python module, as a user would run them after ./demo.

usage: examples_test.py PYTHON_FOLDER RUN_FILE [unittest options], with the module in PYTHONPATH
"""
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

FOLDER, RUN = pathlib.Path(sys.argv.pop(1)), pathlib.Path(sys.argv.pop(1))
DATA = FOLDER.parent / "data"
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.M | re.S)


class ExamplesTest(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.root = pathlib.Path(temporary.name)  # looks like the repository after ./demo
        (self.root / "build/demo").mkdir(parents=True)
        os.symlink(RUN.resolve(), self.root / "build/demo/run.h5")
        os.symlink(DATA.resolve(), self.root / "data")

    def python(self, *arguments):
        done = subprocess.run([sys.executable, "-W", "error", *map(str, arguments)], cwd=self.root, capture_output=True,
                              text=True, check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return done.stdout

    def example(self, name, *arguments):
        return self.python(FOLDER / "examples" / name, *arguments).splitlines()

    def test_load_balance_has_a_line_for_each_checkpoint(self):
        lines = self.example("load_balance.py", "build/demo/run.h5")
        series = json.loads((DATA / "tiny-dots1/manifest.json").read_text())["checkpoints"]
        self.assertEqual([line.split()[0] for line in lines[1:14]], [checkpoint["name"] for checkpoint in series])
        self.assertRegex(lines[-1], r"largest MaxVio of one domain: \d\.\d{3}$")

    def test_drift_table_is_csv_with_a_row_for_each_step(self):
        rows = [line.split(",") for line in self.example("drift_table.py", "build/demo/run.h5")]
        self.assertEqual(rows[0][:3] + rows[0][-1:], ["before", "after", "embedding", "whole_model"])
        self.assertEqual(len(rows), 13)
        bias = rows[0].index("score_correction_bias")
        self.assertEqual(rows[1].pop(bias), "nan")  # it begins as zero: no move is so many times that
        for row in rows[1:]:
            self.assertTrue(all(float(value) > 0 for value in row[2:]), row)

    def test_expert_identity_tells_that_no_expert_moved(self):
        lines = self.example("expert_identity.py", "data/tiny-dots1/tiny-dots1-05T", "data/tiny-dots1/tiny-dots1-11.2T")
        self.assertEqual(len(lines), 5)
        self.assertTrue(all(line.endswith("moved experts: none") for line in lines), lines)

    def test_the_tutorial_runs_from_top_to_bottom(self):
        blocks = BLOCK.findall((FOLDER / "TUTORIAL.md").read_text(encoding="utf-8"))
        self.assertGreater(len(blocks), 8)
        (self.root / "tutorial.py").write_text("\n".join(blocks), encoding="utf-8")
        self.assertIn("is not a checkpoint directory: it has no config.json", self.python("tutorial.py"))


if __name__ == "__main__":
    unittest.main()
