"""How a mixture-of-experts language model learned: run files, checkpoints, comparisons and metrics.

    run = moescope.open_run("run.h5")                 groups as xarray datasets: run["metrics"].max_violation
    checkpoint = moescope.Checkpoint("05T")           tensors as numpy arrays, without copies
    moescope.compare("05T", "11.2T")                  what `moescope compare --json` prints
    moescope.max_violation(counts)                    the metrics, on arrays

help(moescope.NAME) tells shapes and units. Invalid input raises moescope.InputError (a ValueError) with the program's own
words, and a missing file moescope.MissingInput (a FileNotFoundError too); what the operating system refuses raises OSError.
"""

import json
import mmap
import os
from collections.abc import Mapping

import numpy
import xarray

from . import _core
from ._core import *  # noqa: F403  the metrics
from ._core import FormatError, InputError, MissingInput, UnsupportedModel, UsageError, __version__, bfloat16_to_float32

# The classes of this name below are the public ones.
__all__ = ["Checkpoint", "FormatError", "InputError", "MissingInput", "Run", "UnsupportedModel", "UsageError",
           "bfloat16_to_float32", "compare", "open_run"]
__all__ += [name for name, item in vars(_core).items()
            if callable(item) and not name.startswith(("_", "compare_", "run_")) and name not in __all__]


def open_run(path):
    """The groups of a run file as xarray datasets, by name: see Run."""
    return Run(path)


class Run(Mapping):
    """A run file: xarray datasets by the name of their group, the root's under "/".

    Datasets are opened when they are asked for, and read where they are used. Those by checkpoint have tokens_seen, the
    training tokens, as a second coordinate: metrics.loss.plot(x="tokens_seen"). attrs are those of the file. Close it, or
    use it in a with statement, when the file is to be written again.
    """

    def __init__(self, path):
        self.path = os.fspath(path)
        self._names = [name or "/" for name in _core.run_groups(self.path)]
        self._opened = {}
        root = self["/"]
        self.attrs = root.attrs

    def __getitem__(self, group):
        name = group.strip("/") or "/"
        if name not in self._names:
            raise KeyError(f"{self.path} has no group '{group}'; it has {', '.join(self._names)}")
        if name not in self._opened:
            self._opened[name] = self._open(name)
        return self._opened[name]

    def _open(self, name):
        dataset = xarray.open_dataset(self.path, group=name, engine="h5netcdf")
        if "notes" in dataset:  # texts of fixed length
            dataset = dataset.assign(notes=dataset.notes.copy(data=numpy.char.decode(dataset.notes.values, "utf-8")))
        if name != "/" and "checkpoint" in dataset.dims:
            dataset = dataset.assign_coords(tokens_seen=self["/"].tokens_seen)
        return dataset

    def __iter__(self):
        return iter(self._names)

    def __len__(self):
        return len(self._names)

    def close(self):
        """Closes the datasets; what was not read yet can not be read any more."""
        while self._opened:
            self._opened.popitem()[1].close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def __repr__(self):
        return f"<moescope.Run {self.path}: {', '.join(self._names)}>"


_BYTES = numpy.dtype("u1")
_DTYPES = {"BOOL": "?", "U8": "u1", "I8": "i1", "U16": "<u2", "I16": "<i2", "U32": "<u4", "I32": "<i4", "U64": "<u8",
           "I64": "<i8", "F16": "<f2", "BF16": "<u2", "F32": "<f4", "F64": "<f8", "C64": "<c8"}


class Checkpoint(Mapping):
    """A checkpoint in Hugging Face layout, or a GGUF file: numpy arrays by the names of its tensors.

    Opening it validates everything but the data, as `moescope inspect` does. The arrays are the files themselves, mapped
    into memory and read-only: nothing is copied, only what is looked at is read, and an array stays valid when the
    checkpoint object is gone. bfloat16, which numpy does not know, comes as the uint16 of its bits; float32() has the
    numbers. So do the smaller float types, as uint8; several elements in one byte as the bytes, in one dimension. A file
    must not be shortened while its arrays are in use: that ends the process, as with any mapped file.

    shapes and dtypes (as the files spell them, "BF16") are dictionaries by name, config is config.json, or what the
    metadata of a GGUF file amount to.
    """

    def __init__(self, directory):
        self.directory = os.fspath(directory)
        self._core = _core.Checkpoint(self.directory)
        self._tensors = self._core.tensors()
        self._maps = {}  # by shard
        self.config = json.loads(self._core.config_json)
        self.fingerprint = self._core.fingerprint
        self.notes = self._core.notes
        self.names = list(self._tensors)
        self.dtypes = {name: tensor[0] for name, tensor in self._tensors.items()}
        self.shapes = {name: tensor[1] for name, tensor in self._tensors.items()}

    def __getitem__(self, name):
        if name not in self._tensors:
            raise KeyError(f"{self.directory} has no tensor '{name}'")
        dtype, shape, shard, offset, size = self._tensors[name]
        if dtype in _DTYPES:
            return numpy.ndarray(shape, _DTYPES[dtype], self._map(shard), offset)
        whole_bytes = size == numpy.prod(shape, dtype=int)
        return numpy.ndarray(shape if whole_bytes else (size,), _BYTES, self._map(shard), offset)

    def _map(self, shard):
        if shard not in self._maps:
            descriptor = self._core.open_shard(shard)
            try:
                self._maps[shard] = mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ)
            finally:
                os.close(descriptor)
        return self._maps[shard]

    def float32(self, name):
        """The tensor's numbers as a new array of float32; bfloat16 and float16 are exact in it, Q8_0 is rounded once."""
        array = self[name]
        if self.dtypes[name] == "BF16":
            return bfloat16_to_float32(array)
        if self.dtypes[name] == "Q8_0":  # blocks of a float16, and 32 int8 that it multiplies
            blocks = array.reshape(-1, 34)
            scales = numpy.ascontiguousarray(blocks[:, :2]).view("<f2").astype(numpy.float32)
            return (scales * blocks[:, 2:].view("i1")).reshape(self.shapes[name])
        if array.dtype == _BYTES:
            raise TypeError(f"{self.directory}: {name}: {self.dtypes[name]} has no conversion to float32")
        return array.astype(numpy.float32)

    def __iter__(self):
        return iter(self.names)

    def __len__(self):
        return len(self.names)

    def __repr__(self):
        return f"<moescope.Checkpoint {self.directory}: {len(self)} tensors, {self._core.bytes} bytes>"


def compare(before, after, *, run=None, corpus=(), sequence_length=2048, max_tokens=None, precision=None, threads=0,
            memory=0):
    """What changed from one checkpoint to another: the dictionary that `moescope compare --json` prints.

    before and after are directories; with run, a run file, they are names in it and nothing is computed anew. corpus is a
    list of "[DOMAIN=]FILE": with it losses, routing and load are compared, too, by a forward pass of both. sequence_length,
    max_tokens (per domain), precision ("f32" or "bf16"), threads and memory (bytes) are those of the command line. A number
    that does not exist is None. Other threads go on meanwhile; Ctrl-C stops it.
    """
    if run is not None:
        if corpus:
            raise UsageError("run and corpus exclude each other (a run file holds its own results)")
        return json.loads(_core.compare_in_run(os.fspath(run), before, after))
    sources = [corpus] if isinstance(corpus, (str, os.PathLike)) else corpus
    return json.loads(_core.compare_checkpoints(
        os.fspath(before), os.fspath(after), [os.fspath(source) for source in sources], sequence_length, max_tokens,
        precision or "", threads, memory))
