"""A run file, as others read it: h5py and xarray against the contract in data/run_format.md.

usage: run_file_test.py RUN_FILE [unittest options]

What is expected comes from the contract and from the file itself, so any run file will do.
"""

import pathlib
import re
import sys
import unittest
import warnings

import h5py
import numpy
import xarray

CONTRACT = pathlib.Path(__file__).parents[2] / "data" / "run_format.md"
BARE_DIMENSION = b"This is a netCDF dimension but not a netCDF variable."
TEXTS = ("unit", "long_name", "description", "source")
run_path = None


def table_rows(pattern):
    """The cells of the contract's tables whose first cell matches `pattern`."""
    for line in CONTRACT.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        match = cells and re.fullmatch("`(" + pattern + ")`", cells[0])
        if match:
            yield match.group(1), cells[1:]


def names(cell):
    return tuple(name for name in cell.split(", ") if name)


def type_name(dtype):
    """u1, i8, f4, text … of a stored dtype, which must be little-endian; texts must be UTF-8."""
    text = h5py.check_string_dtype(dtype)
    if text:
        kind = "text" if text.length is None else "text of fixed length"
        return kind if text.encoding == "utf-8" else "text that is not UTF-8"
    return dtype.newbyteorder("=").str[1:] if dtype.str[0] in "<|" else dtype.str


def is_scale(dataset):
    return h5py.h5ds.is_scale(dataset.id)


def is_bare(dataset):
    return dataset.attrs.get("NAME", b"").startswith(BARE_DIMENSION)


def values(dataset):
    return dataset.asstr()[()] if h5py.check_string_dtype(dataset.dtype) else dataset[()]


def dimensions(dataset):
    """Names of a dataset's dimensions by the scales attached to it."""
    if is_scale(dataset):
        return (dataset.name.split("/")[-1],)
    return tuple(dimension[0].name.split("/")[-1] for dimension in dataset.dims)


class RunFileTest(unittest.TestCase):
    def setUp(self):
        warnings.simplefilter("error")
        self.file = h5py.File(run_path, "r")
        self.addCleanup(self.file.close)
        self.groups = [None]
        self.file.visititems(lambda name, item: self.groups.append(name) if isinstance(item, h5py.Group) else None)

    def datasets(self, group=None):
        """What a group holds itself, without links to scales and without bare dimensions."""
        parent = self.file[group or "/"]
        for name, item in parent.items():
            if isinstance(item, h5py.Dataset) and not is_bare(item) and not (group and is_scale(item)):
                yield name, item

    def every_dataset(self):
        for group in self.groups:
            for name, dataset in self.datasets(group):
                yield "/" + (group + "/" if group else "") + name, dataset

    def open_group(self, group):
        opened = xarray.open_dataset(run_path, group=group, engine="h5netcdf")
        self.addCleanup(opened.close)
        return opened

    def test_root_attributes_are_those_of_the_contract(self):
        texts = [name for name, cells in table_rows("[a-z_0-9]+") if len(cells) == 2 and cells[0] == "text"]
        self.assertIn("command_line", texts)
        for name in texts:
            self.assertIsInstance(self.file.attrs[name], str, name)
        self.assertEqual(self.file.attrs["filetype"], "moescope-run")
        self.assertEqual(self.file.attrs["format_version"][0], 1)
        self.assertRegex(self.file.attrs["created"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")

    def test_datasets_have_the_type_dimensions_and_unit_of_the_contract(self):
        contract = dict(table_rows(r"/[a-z_0-9/]+"))
        contract.update(("/metrics/" + name, ["f8", *cells]) for name, cells in table_rows("[a-z_0-9]+") if len(cells) == 4)
        for path, dataset in self.every_dataset():
            with self.subTest(path):
                kind, axes, unit = contract[path][:3]
                self.assertIn(type_name(dataset.dtype), kind.split(" or "))
                self.assertEqual(dimensions(dataset), names(axes))
                self.assertEqual(dataset.attrs["unit"], unit)

    def test_every_dataset_describes_itself(self):
        for path, dataset in self.every_dataset():
            for name in TEXTS:
                with self.subTest(path, attribute=name):
                    self.assertIsInstance(dataset.attrs[name], str)
                    self.assertTrue(dataset.attrs[name].strip())
            if path.startswith("/metrics/"):
                self.assertTrue(dataset.attrs["formula"])
            self.assertNotIn("_FillValue", dataset.attrs)

    def test_dimensions_are_as_long_as_their_scales(self):
        for path, dataset in self.every_dataset():
            with self.subTest(path):
                self.assertEqual(dataset.shape, tuple(self.file[name].shape[0] for name in dimensions(dataset)))

    def test_floats_that_were_not_written_are_nan(self):
        for path, dataset in self.every_dataset():
            if dataset.dtype.kind == "f" and not is_scale(dataset):
                self.assertTrue(numpy.isnan(dataset.fillvalue), path)

    def test_xarray_opens_every_group(self):
        for group in self.groups:
            with self.subTest(group):
                opened = self.open_group(group)
                expected = {name for name, _ in self.datasets(group)}
                self.assertLessEqual(expected, set(opened.variables))
                self.assertLessEqual(set(opened.data_vars), expected)
                self.assertFalse([name for name in opened.dims if name.startswith("phony")])

    def test_xarray_sees_the_same_variables(self):
        for group in self.groups:
            opened = self.open_group(group)
            for name, dataset in self.datasets(group):
                with self.subTest(dataset.name):
                    variable = opened[name]
                    self.assertEqual(variable.dims, dimensions(dataset))
                    self.assertEqual({text: variable.attrs[text] for text in TEXTS},
                                     {text: dataset.attrs[text] for text in TEXTS})
                    shown = variable.values
                    numpy.testing.assert_array_equal(numpy.char.decode(shown) if shown.dtype.kind == "S" else shown,
                                                     values(dataset))

    def test_xarray_labels_the_dimensions_that_have_labels(self):
        for group in self.groups:
            opened = self.open_group(group)
            for name in opened.dims:
                with self.subTest(group, dimension=name):
                    scale = self.file[name]
                    self.assertEqual(name in opened.coords, not is_bare(scale))
                    if name in opened.coords:
                        numpy.testing.assert_array_equal(opened[name].values, values(scale))

    def test_xarray_gives_every_variable_and_coordinate_a_unit(self):
        for group in self.groups:
            for name, variable in self.open_group(group).variables.items():
                with self.subTest(group, variable=name):
                    self.assertTrue(variable.attrs["unit"].strip())
                    self.assertTrue(variable.attrs["long_name"].strip())

    def test_bare_dimensions_take_no_space(self):
        bare = [item for item in self.file.values() if isinstance(item, h5py.Dataset) and is_bare(item)]
        self.assertTrue(bare)
        for scale in bare:
            self.assertEqual(scale.id.get_storage_size(), 0)

    def test_values_can_be_selected_by_label(self):
        last = self.file["checkpoint"].asstr()[-1]
        for group in self.groups:
            opened = self.open_group(group)
            for name, dataset in self.datasets(group):
                if dimensions(dataset)[0] == "checkpoint" and not is_scale(dataset):
                    selected = opened[name].sel(checkpoint=last)
                    numpy.testing.assert_array_equal(selected.values, values(dataset)[-1])


if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1].startswith("-"):
        sys.exit(__doc__)
    run_path = sys.argv.pop(1)
    unittest.main()
