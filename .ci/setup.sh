# Sourced by ./demo and ./check: installs what they need and this machine lacks. Does nothing when nothing is missing.
# shellcheck shell=bash

# One "package  what it is for" per line.
packages_for_building="
g++                            the compiler
cmake                          the build system
ninja-build                    the build system
libboost-program-options-dev   the command line
libboost-iostreams-dev         pipes to gnuplot
libboost-filesystem-dev        pipes to gnuplot
libboost-system-dev            pipes to gnuplot
libgnuplot-iostream-dev        pipes to gnuplot
gnuplot-nox                    draws the figures
nlohmann-json3-dev             JSON
libeigen3-dev                  matrices
libhdf5-dev                    run files
libssl-dev                     fingerprints
libzstd-dev                    compressed texts
zlib1g-dev                     compressed texts
libicu-dev                     the tokenizer
libpcre2-dev                   the tokenizer
libutf8proc-dev                the tokenizer
libhwy-dev                     vector instructions
"
packages_for_tests="
libgtest-dev                   unit tests
libgmock-dev                   unit tests
python3                        tests of the command line
python3-numpy                  a float64 model to measure by
python3-h5py                   run files, read by others
python3-xarray                 run files, read by others
python3-h5netcdf               run files, read by others
chromium                       the report in a browser
clang                          the sanitizers
clang-format                   the format of the sources
"
# Without these, all but the Python module is built and tested.
packages_for_python="
pybind11-dev                   the Python module
python3-dev                    the Python module
python3-pip                    the Python module, installed by pip
python3-setuptools             the Python module, installed by pip
python3-wheel                  the Python module, installed by pip
"

is_installed() {
  [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# install_missing "LIST OF PACKAGES": installs those that are missing, and says which and what for.
install_missing() {
  local name names missing=""
  names=$(echo "$1" | awk 'NF {print $1}')
  if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    tell_other_systems "$names"
    return
  fi
  for name in $names; do
    is_installed "$name" || missing="$missing $name"
  done
  [ -n "$missing" ] || return 0

  echo "These Debian packages are missing and will be installed:"
  for name in $missing; do
    echo "$1" | awk -v name="$name" '$1 == name {$1 = ""; printf "  %-30s%s\n", name, $0}'
  done
  local as_root=""
  if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null; then
      echo "That needs the rights of root, and there is no sudo. As root, run:"
      echo "  apt-get install --no-install-recommends$missing"
      return 1
    fi
    as_root="sudo"
  fi
  $as_root apt-get -q update || return 1
  # shellcheck disable=SC2086  # a list of words
  $as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y install --no-install-recommends $missing
}

# Elsewhere nothing can be installed for the user, but the build may well find everything.
tell_other_systems() {
  if command -v cmake >/dev/null && command -v ninja >/dev/null && command -v c++ >/dev/null; then
    echo "This is not a Debian system: nothing is installed, the build uses what it finds."
    echo "Should it lack something, these are the packages under their names in Debian 12:"
    echo $1 | fold -s -w 100 | sed 's/^/  /'
    return 0
  fi
  echo "This is not a Debian system. Please install the counterparts of these Debian 12 packages and run this again:"
  echo $1 | fold -s -w 100 | sed 's/^/  /'
  return 1
}

# As many compilers at once as there are processors, and 1.5 GB of memory for each.
build_jobs() {
  local processors memory
  processors=$(nproc)
  memory=$(awk '/MemAvailable/ {print int($2 / 1500000)}' /proc/meminfo 2>/dev/null)
  [ -n "$memory" ] && [ "$memory" -lt "$processors" ] && processors=$memory
  [ "$processors" -ge 1 ] || processors=1
  echo "$processors"
}
