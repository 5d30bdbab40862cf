#!/usr/bin/env bash
# Installs into a fresh prefix, then configures, builds and runs a program that knows only that prefix.
# Usage: run.sh BUILD_DIRECTORY SCRATCH_DIRECTORY SOURCE_DIRECTORY
set -euo pipefail
build=$1 scratch=$2 source=$3
rm -rf "$scratch"
cmake --install "$build" --prefix "$scratch/prefix" > /dev/null
moescope=$scratch/prefix/bin/moescope
"$moescope" --version
cmake -S "$source/tests/install/example" -B "$scratch/build" -G Ninja -DCMAKE_PREFIX_PATH="$scratch/prefix" > /dev/null
cmake --build "$scratch/build"

series=$source/data/tiny-dots1
"$moescope" analyze "$series/tiny-dots1-05T" "$series/tiny-dots1-11.2T" --corpus "noise=$source/data/eval_text/ids256.npy" \
  --max-tokens 512 --spectra none --quiet -o "$scratch/run.h5"
"$scratch/build/example" "$scratch/run.h5" | tee "$scratch/printed"
# The same numbers as the installed program's.
largest=$("$moescope" export "$scratch/run.h5" max_violation --checkpoint tiny-dots1-05T | cut -d, -f 4 | tail -n +2 | sort -g | tail -n 1)
grep -q "^tiny-dots1-05T: MaxVio $(printf %.3f "$largest") in layer " "$scratch/printed"
expert=$("$moescope" compare --run "$scratch/run.h5" tiny-dots1-05T tiny-dots1-11.2T --json |
  python3 -c 'import json, sys; e = json.load(sys.stdin)["weights"]["experts"][0]; print("expert", e["expert"], "of layer", e["layer"])')
grep -q "most of all $expert, " "$scratch/printed"
# What is wrong with a file is an exception with the program's own sentence.
"$scratch/build/example" "$source/README.md" 2> "$scratch/refused" || true
grep -q "README.md: is not a run file" "$scratch/refused"
