#!/usr/bin/env bash
# Installs the Python module with pip from the source tree into a fresh environment, and uses it from elsewhere.
# What CMake built in BUILD_DIRECTORY is not compiled anew. Usage: pip.sh PYTHON BUILD_DIRECTORY SCRATCH SOURCE_DIRECTORY
set -euo pipefail
python=$1 build=$2 scratch=$3 source=$4
rm -rf "$scratch"
"$python" -m venv --without-pip --system-site-packages "$scratch/environment"  # the system's pip, so no python3-venv
cd "$scratch"
MOESCOPE_BUILD=$build environment/bin/python -m pip --disable-pip-version-check install --no-index --no-build-isolation \
  --no-cache-dir --quiet "$source/python"
environment/bin/python - "$source/data/tiny-dots1" <<'EOF'
import pathlib, sys, moescope
assert pathlib.Path(moescope.__file__).is_relative_to(pathlib.Path.cwd()), moescope.__file__
last = moescope.Checkpoint(sys.argv[1] + "/tiny-dots1-11.2T")
print(moescope.__version__, last)
EOF
