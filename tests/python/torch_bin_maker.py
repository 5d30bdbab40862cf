"""Writes .bin files as torch.save of PyTorch 2 does, and reads them, with nothing but the standard library.

The pickle is made by Python's own pickler from objects that are called as PyTorch's are; the archive follows PyTorch's
writer: sizes and checksums behind the data, members aligned by a padding field, an end record of ZIP64.
"""
import collections
import io
import json
import math
import pickle
import struct
import sys
import types
import zipfile
import zlib

from reference_model import read_stored

ALIGNMENT = 64
LARGE = 0xFFFFFFFF  # what does not fit stands in a field of ZIP64
STORAGES = {"BF16": ("BFloat16Storage", 2), "F16": ("HalfStorage", 2), "F32": ("FloatStorage", 4),
            "F64": ("DoubleStorage", 8), "I64": ("LongStorage", 8), "U8": ("ByteStorage", 1)}
DTYPES = {storage: dtype for dtype, (storage, _) in STORAGES.items()}


def _define(module, name, value):
    value.__module__, value.__qualname__, value.__name__ = module, name, name
    setattr(sys.modules.setdefault(module, types.ModuleType(module)), name, value)
    return value


STORAGE_TYPES = {name: _define("torch", name, type(name, (), {})) for name, _ in STORAGES.values()}


def _rebuild_tensor_v2(storage, storage_offset, size, stride, requires_grad, backward_hooks):
    return Tensor(storage, storage_offset, size, stride)


_define("torch._utils", "_rebuild_tensor_v2", _rebuild_tensor_v2)


class Storage:
    """`data` is None where it was read: then the archive has it."""

    def __init__(self, dtype, key, elements, data=None):
        self.dtype, self.key, self.elements, self.data = dtype, key, elements, data


class Tensor:
    """Offset and strides in elements, as in PyTorch."""

    def __init__(self, storage, offset, shape, strides):
        self.storage, self.offset, self.shape, self.strides = storage, offset, shape, strides

    def __reduce_ex__(self, protocol):
        return _rebuild_tensor_v2, (self.storage, self.offset, self.shape, self.strides, False, collections.OrderedDict())


class Pickler(pickle.Pickler):
    def persistent_id(self, obj):
        if not isinstance(obj, Storage):
            return None
        return "storage", STORAGE_TYPES[STORAGES[obj.dtype][0]], obj.key, "cpu", obj.elements


def dumps(value, protocol=2):
    out = io.BytesIO()
    Pickler(out, protocol).dump(value)
    return out.getvalue()


def strides_of(shape):
    return tuple(math.prod(shape[i + 1:]) for i in range(len(shape)))


def state_dict(tensors):
    """tensors: name -> (dtype, shape, bytes), each with a storage of its own."""
    state = collections.OrderedDict()
    for number, (name, (dtype, shape, data)) in enumerate(tensors.items()):
        storage = Storage(dtype, str(number), len(data) // STORAGES[dtype][1], data)
        state[name] = Tensor(storage, 0, tuple(shape), strides_of(shape))
    return state


def storages_in(value):
    return {item.storage.key: item.storage.data for item in value.values() if isinstance(item, Tensor)}


class Hole:
    """So many zeros, which take no room on the disk."""

    def __init__(self, size):
        self.size = size

    def __len__(self):
        return self.size


def zip64_field(*numbers):
    """The extra field of those that do not fit 32 bits; empty where all do."""
    large = [number for number in numbers if number >= LARGE]
    return struct.pack(f"<2H{len(large)}Q", 1, 8 * len(large), *large) if large else b""


def write_member(out, name, data):
    """Returns its entry of the directory."""
    offset, text, size = out.tell(), name.encode(), len(data)
    checksum = 0 if isinstance(data, Hole) else zlib.crc32(data)
    large = zip64_field(size, size, offset)
    padding = -(offset + 30 + len(text) + len(large) + 4) % ALIGNMENT
    extra = large + b"FB" + struct.pack("<H", padding) + b"Z" * padding
    out.write(struct.pack("<4s5H3I2H", b"PK\3\4", 0, 0x0808, 0, 0, 0, 0, 0, 0, len(text), len(extra)) + text + extra)
    if isinstance(data, Hole):
        out.seek(size, io.SEEK_CUR)
    else:
        out.write(data)
    out.write(struct.pack("<4sI2Q" if size >= LARGE else "<4s3I", b"PK\7\x08", checksum, size, size))
    return struct.pack("<4s6H3I5H2I", b"PK\1\2", 0, 0, 0x0808, 0, 0, 0, checksum, min(size, LARGE), min(size, LARGE),
                       len(text), len(large), 0, 0, 0, 0, min(offset, LARGE)) + text + large


def write_archive(out, members):
    """members: (name, data) pairs."""
    directory = b"".join([write_member(out, name, data) for name, data in members])
    begin, count = out.tell(), len(members)
    out.write(directory)
    out.write(struct.pack("<4sQ2H2I4Q", b"PK\6\6", 44, 0x31E, 45, 0, 0, count, count, len(directory), begin))
    out.write(struct.pack("<4sIQI", b"PK\6\7", 0, begin + len(directory), 1))
    out.write(struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, min(count, 0xFFFF), min(count, 0xFFFF), len(directory),
                          min(begin, LARGE), 0))


def write_pickled(out, pickled, storages, directory="pytorch_model"):
    """storages: key -> bytes."""
    members = [("data.pkl", pickled), ("byteorder", b"little")]
    members += [(f"data/{key}", data) for key, data in storages.items()]
    members += [("version", b"3\n"), (".data/serialization_id", b"0" * 40)]
    write_archive(out, [(f"{directory}/{name}", data) for name, data in members])


def bin_bytes(pickled, storages):
    out = io.BytesIO()
    write_pickled(out, pickled, storages)
    return out.getvalue()


def write_bin(path, tensors):
    """torch.save({name: tensor}, path); returns the tensors' bytes."""
    state = state_dict(tensors)
    with open(path, "wb") as out:
        write_pickled(out, dumps(state), storages_in(state), path.stem)
    return sum(len(data) for _, _, data in tensors.values())


class Unpickler(pickle.Unpickler):
    """Python's own, with the few names that it may use."""

    def find_class(self, module, name):
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _rebuild_tensor_v2
        return STORAGE_TYPES[name]

    def persistent_load(self, pid):
        kind, storage_type, key, _, elements = pid
        assert kind == "storage"
        return Storage(DTYPES[storage_type.__name__], key, elements)


def read_bin(path, whole=True):
    """name -> (dtype, shape, offset in the file, number of bytes), by zipfile and Python's own unpickler."""
    with zipfile.ZipFile(path) as members:
        assert not whole or members.testzip() is None
        name = next(name for name in members.namelist() if name.endswith("/data.pkl"))
        state = Unpickler(io.BytesIO(members.read(name))).load()
        headers = {info.filename: info.header_offset for info in members.infolist()}
    found = {}
    with open(path, "rb") as file:
        for tensor_name, tensor in state.items():
            header = headers[name.replace("data.pkl", f"data/{tensor.storage.key}")]
            file.seek(header + 26)
            name_bytes, extra_bytes = struct.unpack("<2H", file.read(4))
            size = STORAGES[tensor.storage.dtype][1]
            offset = header + 30 + name_bytes + extra_bytes + tensor.offset * size
            found[tensor_name] = (tensor.storage.dtype, list(tensor.shape), offset, math.prod(tensor.shape) * size)
    return found


def convert(source, target, shards):
    """A checkpoint of safetensors as one of .bin files, everything beside them the same."""
    target.mkdir(parents=True)
    tensors = {}
    for path in sorted(source.iterdir()):
        if path.suffix == ".safetensors":
            tensors.update({name: (dtype, values.shape, values.tobytes())
                            for name, (dtype, values) in read_stored(path).items()})
        elif not path.name.endswith(".safetensors.index.json"):
            (target / path.name).write_bytes(path.read_bytes())
    if shards == 1:
        write_bin(target / "pytorch_model.bin", tensors)
        return
    weight_map, total = {}, 0
    for shard in range(shards):
        file = f"pytorch_model-{shard + 1:05}-of-{shards:05}.bin"
        names = list(tensors)[shard::shards]
        total += write_bin(target / file, {name: tensors[name] for name in names})
        weight_map.update({name: file for name in names})
    (target / "pytorch_model.bin.index.json").write_text(
        json.dumps({"metadata": {"total_size": total}, "weight_map": weight_map}))
