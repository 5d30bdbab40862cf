#pragma once
/// How HDF5 reaches a run file: positioned reads and writes of one regular file. Private to the run_file*.cpp
/// and hdf5_*.cpp.

#include "readers/run_file/hdf5_handle.h"

namespace moescope {

/// Files opened or created with these access properties go through this driver. It does what HDF5's own
/// ("sec2") does, to the same bytes, but it opens nothing that is not a regular file, and a read that ends
/// early is a failure, where HDF5's own hands out zeros. Failures carry the operating system's error to
/// Hdf5Site::fail.
void use_file_driver(hid_t access_properties, const Hdf5Site& site);

}  // namespace moescope
