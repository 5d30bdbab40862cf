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


class CMakeBuild(build_ext):
    def build_extension(self, extension):
        tree = pathlib.Path(os.environ.get("MOESCOPE_BUILD") or pathlib.Path(self.build_temp).resolve() / "cmake")
        if not (tree / "CMakeCache.txt").exists():
            subprocess.run(["cmake", "-S", SOURCE, "-B", tree, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release",
                            "-DBUILD_TESTING=OFF", f"-DMOESCOPE_PYTHON={sys.executable}"], check=True)
        subprocess.run(["cmake", "--build", tree, "--target", "moescope_python", "-j", str(os.cpu_count())], check=True)
        built, = (tree / "python" / "moescope").glob("_core.*")
        target = pathlib.Path(self.get_ext_fullpath(extension.name))
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(built, target)


SCRATCH = SOURCE / "build" / "pip"  # beside the other build trees, not among the sources
SCRATCH.mkdir(parents=True, exist_ok=True)
setup(version=version(), packages=["moescope"], ext_modules=[Extension("moescope._core", [])],
      cmdclass={"build_ext": CMakeBuild},
      options={"build": {"build_base": str(SCRATCH)}, "egg_info": {"egg_base": str(SCRATCH)}})
