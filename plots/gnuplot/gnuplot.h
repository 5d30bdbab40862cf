#pragma once
/// Draws figures with the program `gnuplot`, which must be on the PATH.

#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "plots/figure/figure.h"
#include "readers/files/output_file.h"

namespace moescope {

enum class ImageFormat { svg, png, pdf };

/// By the extension, in upper or lower case. Throws UsageError for another than .svg, .png, .pdf.
ImageFormat image_format(const std::filesystem::path& path);

struct RenderOptions {
  ImageFormat format = ImageFormat::svg;
  int width = 960;         // CSS pixels
  int height = 0;          // 0: what suits the figure at this width
  bool with_title = true;  // false where the text around the image says it
};

/// The image's bytes. The same figure and options give the same SVG. Thread-safe.
/// Throws std::system_error when gnuplot cannot be run, GnuplotError when it fails; both name the figure.
std::string render(const Figure& figure, const RenderOptions& options = {});

/// One figure of several that are drawn at once, because starting gnuplot takes longer than drawing.
struct RenderJob {
  const Figure& figure;
  RenderOptions options;  // the format is SVG
};
/// The images in order; each as from render().
std::vector<std::string> render_svgs(std::span<const RenderJob> jobs);

/// Draws into `target`. Throws also std::system_error when it cannot be written.
void render_figure(const Figure& figure, const OutputTarget& target, ImageFormat format);

}  // namespace moescope
