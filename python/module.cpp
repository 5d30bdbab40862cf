/// The part of the Python module that is not Python: checkpoints, run files as far as they must be checked,
/// comparisons, and the metrics. The rest is moescope/__init__.py.

#include <fcntl.h>
#include <pybind11/numpy.h>
#include <pybind11/stl.h>
#include <pybind11/stl/filesystem.h>

#include <algorithm>
#include <atomic>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <system_error>

#include "analysis/comparison/checkpoint_comparison.h"
#include "analysis/comparison/comparison_json.h"
#include "analysis/kernels/element_convert.h"
#include "analysis/machine/job_limits.h"
#include "python/drift_bindings.h"
#include "python/metric_bindings.h"
#include "readers/checkpoint/checkpoint.h"
#include "readers/errors.h"
#include "readers/run_file/run_file.h"
#include "readers/text/json_text.h"
#include "readers/version.h"

namespace moescope {
namespace {

namespace py = pybind11;
namespace fs = std::filesystem;
using py::arg;
using Unlocked = py::call_guard<py::gil_scoped_release>;

/// The class of that name, which is to be raised for `error`; with the hint as an attribute.
void raise(py::handle type, const InputError& error) {
  py::object exception = type(error.what());
  exception.attr("hint") = error.hint();
  if (!error.hint().empty() && py::hasattr(exception, "add_note"))
    exception.attr("add_note")("hint: " + error.hint());
  PyErr_SetObject(type.ptr(), exception.ptr());
}

void translate(std::exception_ptr pending) {
  const auto type = [](const char* name) { return py::module_::import("moescope._core").attr(name); };
  try {
    std::rethrow_exception(pending);
  } catch (const MissingInput& error) {
    raise(type("MissingInput"), error);
  } catch (const FormatError& error) {
    raise(type("FormatError"), error);
  } catch (const UnsupportedModel& error) {
    raise(type("UnsupportedModel"), error);
  } catch (const UsageError& error) {
    raise(type("UsageError"), error);
  } catch (const InputError& error) {
    raise(type("InputError"), error);
  } catch (const std::system_error& error) {
    PyErr_SetObject(PyExc_OSError, py::make_tuple(error.code().value(), error.what()).ptr());
  }
}

void bind_errors(py::module_& module) {
  const auto define = [&](const char* name, py::handle base, const char* text) {
    const std::string full_name = std::string("moescope.") + name;
    const auto type = py::reinterpret_steal<py::object>(
        PyErr_NewExceptionWithDoc(full_name.c_str(), text, base.ptr(), nullptr));
    module.attr(name) = type;
    return type;
  };
  const py::object input =
      define("InputError", PyExc_ValueError, "Invalid input, in the program's words; hint may say more.");
  const py::object format = define("FormatError", input, "The content of a file is invalid.");
  define("MissingInput", py::make_tuple(format, py::handle(PyExc_FileNotFoundError)),
         "There is no such file.");
  define("UnsupportedModel", input, "Valid, but not a model or file that moescope knows.");
  define("UsageError", input, "Called wrongly.");
  py::register_exception_translator(translate);
}

/// (dtype, shape, shard, offset in the shard's file, bytes) by name, sorted.
py::dict stored_tensors(const Checkpoint& checkpoint) {
  py::dict tensors;
  for (const auto& [name, tensor] : checkpoint.tensors()) {
    const TensorInfo& info = tensor.info;
    tensors[py::str(name)] =
        py::make_tuple(std::string(dtype_name(info.dtype)), py::tuple(py::cast(info.shape)), tensor.shard,
                       info.offset, info.bytes);
  }
  return tensors;
}

/// A new descriptor of the very file that was validated, which still has all its bytes.
int open_shard(const Checkpoint& checkpoint, std::size_t index) {
  const SourceFile& shard = checkpoint.shards().at(index);
  shard.require_bytes(shard.size());
  const int descriptor = shard.reopen(O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) throw_errno(shard.name(), "cannot open once more");
  return descriptor;
}

void bind_checkpoint(py::module_& module) {
  py::class_<Checkpoint>(module, "Checkpoint")
      .def(py::init([](const fs::path& directory) { return Checkpoint::open(directory); }), arg("directory"),
           Unlocked())
      .def("tensors", stored_tensors)
      .def("open_shard", open_shard)
      .def_property_readonly("config_json", &Checkpoint::config_json)
      .def_property_readonly("fingerprint", &Checkpoint::fingerprint)
      .def_property_readonly("notes", &Checkpoint::notes)
      .def_property_readonly("bytes", &Checkpoint::bytes);
}

/// Bits to values, of the same shape.
py::array_t<float> bfloat16_to_float32(const py::array_t<std::uint16_t, py::array::c_style>& bits) {
  py::array_t<float> values(std::vector<py::ssize_t>(bits.shape(), bits.shape() + bits.ndim()));
  const std::span<const std::uint16_t> in{bits.data(), static_cast<std::size_t>(bits.size())};
  const std::span<float> out{values.mutable_data(), static_cast<std::size_t>(values.size())};
  const py::gil_scoped_release release;
  convert_to_float(DType::bf16, std::as_bytes(in), out);
  return values;
}

/// The groups of a run file that hold datasets, "" for the root, sorted. Validates that it is one.
std::vector<std::string> run_groups(const fs::path& path) {
  std::vector<std::string> groups;
  for (const std::string& dataset : RunFile::open(path).datasets()) {
    const std::string group = dataset.substr(0, dataset.rfind('/')).substr(dataset.rfind('/') > 0 ? 1 : 0);
    if (std::ranges::find(groups, group) == groups.end()) groups.push_back(group);
  }
  std::ranges::sort(groups);
  return groups;
}

/// Lets Ctrl-C stop a comparison.
class SignalListener : public AnalysisListener {
 public:
  void advance(std::uint64_t /*bytes*/) override {
    const py::gil_scoped_acquire acquire;
    if (!interrupted_ && PyErr_CheckSignals() != 0) interrupted_ = true;
  }
  const std::atomic<bool>& interrupted() const { return interrupted_; }

 private:
  std::atomic<bool> interrupted_ = false;
};

AnalysisOptions comparison_options(const std::vector<std::string>& corpus, std::size_t sequence_length,
                                   std::optional<std::size_t> max_tokens, const std::string& precision) {
  AnalysisOptions options;
  for (const std::string& source : corpus) options.inputs.corpus.push_back(parse_corpus_source(source));
  options.inputs.corpus_options.sequence_length = sequence_length;
  if (max_tokens) options.inputs.corpus_options.max_tokens = *max_tokens;
  options.scope.precision = parse_precision(precision);
  if (!precision.empty() && !options.scope.precision)
    throw UsageError("precision: expected f32 or bf16, found '" + precision + "'");
  options.scope.version = program_version();
  return options;
}

std::string compare_directories(const fs::path& before, const fs::path& after,
                                const AnalysisOptions& analysis) {
  SignalListener listener;
  AnalysisOptions options = analysis;
  options.resources.interrupted = &listener.interrupted();
  std::optional<RunComparison> comparison;
  {
    const py::gil_scoped_release release;
    comparison = compare_checkpoints(before, after, options, listener);
  }
  if (!comparison || PyErr_Occurred()) throw py::error_already_set();
  return json_text(json_of(*comparison));
}

void bind_comparison(py::module_& module) {
  module.def("compare_checkpoints",
             [](const fs::path& before, const fs::path& after, const std::vector<std::string>& corpus,
                std::size_t sequence_length, std::optional<std::size_t> max_tokens,
                const std::string& precision, unsigned threads, std::uint64_t memory) {
               AnalysisOptions options = comparison_options(corpus, sequence_length, max_tokens, precision);
               require_useful_threads(threads);
               options.resources.threads = threads;
               options.resources.memory = memory;
               return compare_directories(before, after, options);
             });
  module.def(
      "compare_in_run",
      [](const fs::path& run, const std::string& before, const std::string& after) {
        return json_text(json_of(compare_in_run(RunFile::open(run), before, after)));
      },
      Unlocked());
}

}  // namespace
}  // namespace moescope

PYBIND11_MODULE(_core, module) {
  moescope::bind_errors(module);
  moescope::bind_checkpoint(module);
  moescope::bind_comparison(module);
  moescope::bind_metrics(module);
  moescope::bind_drift(module);
  module.def("bfloat16_to_float32", moescope::bfloat16_to_float32, pybind11::arg("bits"),
             "bfloat16 numbers, of which an array of uint16 holds the bits -> the same numbers as float32; a "
             "new array");
  module.def("run_groups", moescope::run_groups, moescope::Unlocked());
  module.attr("__version__") = moescope::program_version();
}
