"""Builds the module with CMake, for pip: pip install ./python

MOESCOPE_BUILD names a build tree to use and to keep; else everything is compiled in a temporary one.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

SOURCE = pathlib.Path(__file__).resolve().parent.parent


def version():
    return re.search(r"project\(moescope VERSION ([\d.]+)", (SOURCE / "CMakeLists.txt").read_text())[1]


def run(command, failure):
    """Ends the installation in one sentence when the command fails: what it said itself stands above."""
    try:
        subprocess.run(command, check=True)
    except FileNotFoundError:
        sys.exit(f"moescope: {command[0]} is missing (Debian: cmake and ninja-build)")
    except subprocess.CalledProcessError:
        sys.exit(f"moescope: {failure}")


def has_module(tree):
    targets = subprocess.run(["cmake", "--build", str(tree), "--target", "help"], capture_output=True, text=True)
    return "moescope_python" in targets.stdout


def options_of_own_tree():
    options = ["-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release", "-DBUILD_TESTING=OFF", f"-DMOESCOPE_PYTHON={sys.executable}"]
    try:
        import pybind11  # that of pip, which CMake does not find by itself
        return [*options, f"-Dpybind11_DIR={pybind11.get_cmake_dir()}"]
    except ImportError:
        return options


def configure(tree):
    """Sees to a tree that can build the module. What a failure leaves in CMake's cache does not outlive its cause."""
    cache = tree / "CMakeCache.txt"
    given = "MOESCOPE_BUILD" in os.environ and cache.exists()
    if given and has_module(tree):
        return
    if not given:
        cache.unlink(missing_ok=True)
    run(["cmake", "-S", str(SOURCE), "-B", str(tree), *([] if given else options_of_own_tree())],
        "CMake could not prepare the build: the lines above say what is missing; .ci/setup.sh installs all of it")
    if not has_module(tree):
        sys.exit("moescope: the Python module needs pybind11 (Debian: pybind11-dev, or pip install pybind11) and Python's "
                 "headers (Debian: python3-dev): install what is missing, then repeat the same command")


class CMakeBuild(build_ext):
    def build_extension(self, extension):
        tree = pathlib.Path(os.environ.get("MOESCOPE_BUILD") or pathlib.Path(self.build_temp).resolve() / "cmake")
        configure(tree)
        run(["cmake", "--build", str(tree), "--target", "moescope_python", "-j", str(os.cpu_count())],
            "the module could not be compiled: the lines above say why")
        built, = (tree / "python" / "moescope").glob("_core.*")
        target = pathlib.Path(self.get_ext_fullpath(extension.name))
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(built, target)


SCRATCH = SOURCE / "build" / "pip"  # beside the other build trees, not among the sources
SCRATCH.mkdir(parents=True, exist_ok=True)
setup(version=version(), packages=["moescope"], ext_modules=[Extension("moescope._core", [])],
      cmdclass={"build_ext": CMakeBuild},
      options={"build": {"build_base": str(SCRATCH)}, "egg_info": {"egg_base": str(SCRATCH)}})
