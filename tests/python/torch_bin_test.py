"""Checkpoints of PyTorch's .bin files: the same model gives the same numbers, and nothing in a file is ever run."""
import json
import os
import pickle
import shutil
import struct
import subprocess
import zipfile

import numpy as np

import torch_bin_maker
import analysis_run
from analysis_run import TINY, analyze, differing_datasets, moescope, write_corpus

SERIES = ["tiny-dots1-05T", "tiny-dots1-06T"]  # of two shards, and of one
BAD_INPUT = 3


def without_places(value):
    """A document without what tells where a checkpoint lies and of which bytes it is."""
    if isinstance(value, dict):
        return {key: without_places(item) for key, item in value.items()
                if key not in ("path", "fingerprint", "shards", "shard", "offset", "format", "tokenizer")}
    return [without_places(item) for item in value] if isinstance(value, list) else value


class ConversionTest(analysis_run.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.stored = [TINY / name for name in SERIES]
        cls.converted = {shards: [cls.directory / f"of{shards}" / name for name in SERIES] for shards in (1, 3)}
        for shards, directories in cls.converted.items():
            for source, target in zip(cls.stored, directories):
                torch_bin_maker.convert(source, target, shards)

    def json(self, *arguments):
        done = moescope(*arguments, "--json")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return json.loads(done.stdout)

    def test_an_analysis_gives_the_same_run_file(self):
        corpus = write_corpus(self.directory / "corpus", [("up", np.arange(256)), ("down", np.arange(255, -1, -1))])
        expected = analyze(self.directory / "expected.h5", self.stored, *corpus)
        for shards, directories in self.converted.items():
            with self.subTest(shards=shards):
                run = analyze(self.directory / f"run{shards}.h5", directories, *corpus)
                self.assertIn("/weights/norm", analysis_run.datasets(run))
                self.assertEqual(differing_datasets(expected, run, ignore=analysis_run.WHERE_IT_CAME_FROM), [])

    def test_a_comparison_gives_the_same_numbers(self):
        expected = without_places(self.json("compare", *self.stored))
        self.assertIn("weights", expected)
        for directories in self.converted.values():
            self.assertEqual(without_places(self.json("compare", *directories)), expected)

    def test_a_converted_checkpoint_has_moved_nowhere(self):
        done = moescope("compare", self.stored[0], self.converted[3][0], "--fail-above", "experts.relative_drift=0")
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_it_is_told_as_what_it_is(self):
        for shards, directories in self.converted.items():
            for stored, converted in zip(self.stored, directories):
                expected, found = self.json("inspect", stored, "--tensors"), self.json("inspect", converted, "--tensors")
                self.assertEqual((expected["format"], found["format"]), ("safetensors", "PyTorch .bin"))
                self.assertEqual(len(found["shards"]), shards)
                self.assertEqual(without_places(found), without_places(expected))

    def test_places_are_those_that_python_finds(self):
        files = [file for directories in self.converted.values() for directory in directories
                 for file in directory.glob("*.bin")]
        self.assertEqual(len(files), 8)
        for file in files:
            self.assert_places(file)

    def assert_places(self, file, whole=True):
        found = {tensor["name"]: (tensor["dtype"], tensor["shape"], tensor["offset"], tensor["bytes"])
                 for tensor in self.json("inspect", file)["tensors"]}
        self.assertEqual(found, torch_bin_maker.read_bin(file, whole))

    # Archives of another writer: other flags, no alignment, no ZIP64, sizes in front of the data or behind it.
    def test_places_in_archives_that_zipfile_wrote(self):
        source = self.converted[1][1] / "pytorch_model.bin"
        for name, streamed in (("seekable.bin", False), ("streamed.bin", True)):
            target = self.directory / name
            with open(target, "wb") as file, zipfile.ZipFile(source) as members:
                with zipfile.ZipFile(Unseekable(file) if streamed else file, "w") as copy:
                    for member in members.namelist():
                        copy.writestr(zipfile.ZipInfo(member), members.read(member))
            self.assert_places(target)

    def test_places_beyond_4_gib(self):
        size = 5 << 30
        state = {}
        for number, name in enumerate(("large", "small", "larger", "last")):
            elements = (size if name.startswith("large") else 64) // 2
            storage = torch_bin_maker.Storage("BF16", str(number), elements, torch_bin_maker.Hole(2 * elements))
            state[name] = torch_bin_maker.Tensor(storage, elements - 8, (2, 4), (4, 1))
        file = self.directory / "sparse.bin"
        with open(file, "wb") as out:
            torch_bin_maker.write_pickled(out, torch_bin_maker.dumps(state), torch_bin_maker.storages_in(state))
        self.assertGreater(file.stat().st_size, 2 * size)
        self.assert_places(file, whole=False)

    def test_views_of_one_storage(self):
        Tensor = torch_bin_maker.Tensor
        storage = torch_bin_maker.Storage("F32", "0", 12, bytes(range(48)))
        state = {"all": Tensor(storage, 0, (3, 4), (4, 1)), "row": Tensor(storage, 4, (4,), (1,)),
                 "tied": Tensor(storage, 0, (3, 4), (4, 1)), "scalar": Tensor(storage, 11, (), ())}
        file = self.directory / "views.bin"
        for protocol in (2, 3, 4, 5):
            pickled = torch_bin_maker.dumps(state, protocol)
            file.write_bytes(torch_bin_maker.bin_bytes(pickled, {"0": storage.data}))
            self.assert_places(file)
        state["column"] = Tensor(storage, 1, (3,), (4,))
        file.write_bytes(torch_bin_maker.bin_bytes(torch_bin_maker.dumps(state), {"0": storage.data}))
        done = moescope("inspect", file)
        self.assertEqual(done.returncode, BAD_INPUT)
        self.assertIn("tensor 'column': is a view whose elements do not lie in order (shape [3], strides [4])", done.stderr)

    def test_safetensors_come_first(self):
        both = self.directory / "both/tiny-dots1-05T"
        shutil.copytree(self.stored[0], both)
        shutil.copy(self.converted[1][0] / "pytorch_model.bin", both)
        document = self.json("inspect", both)
        self.assertEqual(document["format"], "safetensors")
        self.assertIn("pytorch_model.bin: not read, for the model is there as safetensors, too", document["notes"])


class Unseekable:
    """Makes zipfile write sizes behind the data."""

    def __init__(self, file):
        self.write, self.flush = file.write, file.flush


class Call:
    """Pickled as a call of `function`."""

    def __init__(self, function, *arguments):
        self.function, self.arguments = function, arguments

    def __reduce__(self):
        return self.function, self.arguments


class HostileTest(analysis_run.TestCase):
    """Each of these runs what it says, were it opened by Python."""

    def setUp(self):
        self.touched = self.directory / "touched"
        self.checkpoint = self.directory / "hostile"
        self.checkpoint.mkdir(exist_ok=True)
        shutil.copy(TINY / SERIES[0] / "config.json", self.checkpoint)
        self.command = f"touch {self.touched}"

    def refusal(self, pickled):
        (self.checkpoint / "pytorch_model.bin").write_bytes(torch_bin_maker.bin_bytes(pickled, {}))
        words = set()
        for command in (["inspect", self.checkpoint], ["inspect", self.checkpoint / "pytorch_model.bin"],
                        ["analyze", self.checkpoint, "--only", "weights", "-o", self.directory / "run.h5"]):
            done = moescope(*command)
            self.assertEqual(done.returncode, BAD_INPUT, done.stderr)
            self.assertEqual(done.stdout, "")
            words.add(done.stderr.splitlines()[0])
        self.assertFalse(self.touched.exists())
        self.assertFalse((self.directory / "run.h5").exists())
        self.assertEqual(len(words), 1, words)
        start = f"moescope: {self.checkpoint}/pytorch_model.bin: "
        self.assertTrue(next(iter(words)).startswith(start), words)
        return words.pop()[len(start):]

    def test_the_attack_would_work(self):
        pickle.loads(pickle.dumps({"w": Call(os.system, self.command)}, 2))
        self.assertTrue(self.touched.exists())
        self.touched.unlink()

    def test_calls_are_refused_by_name(self):
        attacks = {"posix.system": Call(os.system, self.command),
                   "builtins.eval": Call(eval, f"open({str(self.touched)!r}, 'w')"),
                   "builtins.exec": Call(exec, f"open({str(self.touched)!r}, 'w')"),
                   "builtins.getattr": Call(getattr, Call(getattr, 1, "real"), "real"),
                   "subprocess.Popen": Call(subprocess.Popen, ["touch", str(self.touched)])}
        for name, attack in attacks.items():
            for value in (attack, {"w": attack}, {"w": [(attack,)]}, {attack: 1}):
                with self.subTest(name):
                    words = self.refusal(pickle.dumps(value, 2, fix_imports=False))
                    self.assertEqual(words, f"data.pkl: asks for '{name}', which no state dict needs; nothing of it is run")
        self.assertIn("asks for 'builtins.eval'", self.refusal(pickle.dumps({"w": Call(eval, "1")}, 4)))

    def test_other_ways_to_a_call(self):
        text = self.command.encode()
        named = struct.pack("<I", len(text)) + text
        ways = {"GLOBAL": b"\x80\x02cos\nsystem\n(X" + named + b"tR.",
                "INST": b"\x80\x02(X" + named + b"ios\nsystem\n.",
                "OBJ": b"\x80\x02(cos\nsystem\nX" + named + b"o.",
                "STACK_GLOBAL": b"\x80\x04\x8c\x02os\x8c\x06system\x93(X" + named + b"tR.",
                "NEWOBJ": b"\x80\x02cos\nsystem\n(X" + named + b"t\x81.",
                "BUILD": b"\x80\x02cos\nsystem\n}X\x01\x00\x00\x00aX\x01\x00\x00\x00bsb.",
                "behind the end": torch_bin_maker.dumps({}) + b"cos\nsystem\n(X" + named + b"tR."}
        for way, pickled in ways.items():
            with self.subTest(way):
                words = self.refusal(pickled)
                self.assertIn("goes on behind its end" if way == "behind the end" else "asks for 'os.system'", words)

    # A call of what a call returned, and of names that are known but are no functions.
    def test_nested_calls(self):
        for pickled in (b"\x80\x02ccollections\nOrderedDict\n)R)R.",
                        b"\x80\x02ctorch\nFloatStorage\n)R.",
                        b"\x80\x02ccollections\nOrderedDict\nccollections\nOrderedDict\n)R\x85R."):
            self.assertRegex(self.refusal(pickled), "data.pkl: (calls what is no function|makes an OrderedDict of)")

    def test_bombs(self):
        # Lists of lists, each ten times the one before, through the memo; 10 to the 30th elements.
        bomb = []
        for _ in range(30):
            bomb = [bomb] * 10
        self.assertIn("expected a tensor", self.refusal(pickle.dumps({"w": bomb}, 2)))
        doubled = b"\x80\x02)" + b"q\x00h\x00\x86" * 100 + b"."
        self.assertIn("nests values more than 64 deep", self.refusal(doubled))
        self.assertIn("holds too many values", self.refusal(b"\x80\x02" + b"N" * (1 << 23) + b"."))
        self.assertIn("at the absurd place", self.refusal(b"\x80\x02}r\xff\xff\xff\xff."))
        self.assertIn("ends early", self.refusal(b"\x80\x02X\xff\xff\xff\xffa."))

    def test_a_pickle_of_absurd_size_is_not_read(self):
        file = self.directory / "large.bin"
        with open(file, "wb") as out:
            torch_bin_maker.write_archive(out, [("large/data.pkl", torch_bin_maker.Hole((256 << 20) + 1))])
        done = moescope("inspect", file)
        self.assertEqual(done.returncode, BAD_INPUT)
        self.assertIn("large.bin: member 'large/data.pkl' is too large (expected at most 268435456 bytes, "
                      "found 268435457)", done.stderr)


if __name__ == "__main__":
    analysis_run.main()
