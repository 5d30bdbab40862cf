#!/usr/bin/env bash
# Installs the Python module with pip from the source tree into a fresh environment, and uses it from elsewhere.
# What CMake built in BUILD_DIRECTORY is not compiled anew. Usage: pip.sh PYTHON BUILD_DIRECTORY SCRATCH SOURCE_DIRECTORY
set -euo pipefail
python=$1 build=$2 scratch=$3 source=$4
rm -rf "$scratch"
"$python" -m venv --without-pip --system-site-packages "$scratch/environment"  # the system's pip, so no python3-venv
cd "$scratch"
install() { environment/bin/python -m pip --disable-pip-version-check install --no-index --no-build-isolation \
  --no-cache-dir --quiet "$source/python"; }

# Without pybind11 it ends in one sentence and in no traceback. CMake is told that there is none.
mkdir without
cat > without/cmake <<'END'
#!/bin/sh
case " $* " in *" -S "*) set -- "$@" -DCMAKE_DISABLE_FIND_PACKAGE_pybind11=ON ;; esac
exec "$CMAKE" "$@"
END
chmod +x without/cmake
if CMAKE=$(command -v cmake) PATH=$PWD/without:$PATH install > without/log 2>&1; then
  echo "was installed without pybind11"; exit 1
fi
grep -q "moescope: the Python module needs pybind11" without/log
if grep Traceback without/log; then exit 1; fi
# What that left in CMake's cache does not stop the same command where pybind11 is there.
(cd "$source/python" && "$python" - "$source"/build/pip/*/cmake <<'END'
import pathlib, sys
tree = pathlib.Path(sys.argv[1])
assert (tree / "CMakeCache.txt").exists(), "the failed configuration is where it was"
sys.argv[1:] = ["--quiet", "--name"]
setup = {"__file__": "setup.py"}
exec(pathlib.Path("setup.py").read_text(), setup)
setup["configure"](tree)
END
)

MOESCOPE_BUILD=$build install
environment/bin/python - "$source/data/tiny-dots1" <<'EOF'
import pathlib, sys, moescope
assert pathlib.Path(moescope.__file__).is_relative_to(pathlib.Path.cwd()), moescope.__file__
last = moescope.Checkpoint(sys.argv[1] + "/tiny-dots1-11.2T")
print(moescope.__version__, last)
EOF
