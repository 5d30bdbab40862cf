#!/usr/bin/env bash
# Installs into a fresh prefix, then configures, builds and runs a program that knows only that prefix.
# Usage: run.sh BUILD_DIRECTORY SCRATCH_DIRECTORY SOURCE_DIRECTORY
set -euo pipefail
build=$1 scratch=$2 source=$3
rm -rf "$scratch"
cmake --install "$build" --prefix "$scratch/prefix" > /dev/null
"$scratch/prefix/bin/moescope" --version
cmake -S "$source/tests/install/consumer" -B "$scratch/build" -G Ninja -DCMAKE_PREFIX_PATH="$scratch/prefix" > /dev/null
cmake --build "$scratch/build"
"$scratch/build/consumer" "$source/data/tiny-dots1/tiny-dots1-01T"
