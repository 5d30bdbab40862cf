#include "plots/gnuplot/gnuplot.h"

#include <gnuplot-iostream.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cmath>
#include <span>
#include <tuple>

#include "plots/figure/figure_text.h"
#include "plots/figure/layout.h"
#include "plots/figure/theme.h"
#include "plots/gnuplot/gnuplot_process.h"
#include "plots/gnuplot/svg.h"
#include "readers/errors.h"
#include "readers/files/output_file.h"

namespace moescope {
namespace {

/// A gnuplot string that nothing inside can end or expand. Between single quotes gnuplot replaces neither
/// backslashes, macros nor backquotes; its doubled quote for a quote fails at the beginning and when
/// repeated, so an apostrophe becomes the typographic one.
std::string quote(std::string_view text) {
  std::string quoted = "'";
  for (const char c : printable(text)) quoted += c == '\'' ? std::string("’") : std::string(1, c);
  return quoted + "'";
}

std::string number(double value) {
  char text[40];
  std::snprintf(text, sizeof text, "%.10g", value);
  return text;
}

Color sequence_color(std::size_t index, std::size_t count) {
  return sequence_step_color(sequence_step(index, count), Ground::light);
}

/// Writes the script of one figure, and knows its layout and look.
struct Drawing {
  gnuplotio::Gnuplot& out;
  const Figure& figure;
  const FigureLayout& layout;
  ImageFormat format;
  double font_scale = 1;  // from pixels to what the terminal calls a font size
  const Theme& look = theme(Ground::light);

  std::string at(double x, double y) const {
    return "screen " + number(x / layout.width) + ",screen " + number(1 - y / layout.height);
  }
  Color line_color(const Series& series) const {
    if (series.total) return look.ink;
    return figure.line_colors == LineColors::sequence ? sequence_color(series.color, figure.color_key.size())
                                                      : categorical_color(series.color, Ground::light);
  }
  /// `y` is the text's baseline.
  void text(std::string_view words, double x, double y, double size, Color color, const char* align = "left",
            const char* weight = "") {
    if (words.empty()) return;
    out << "set label " << quote(words) << " at " << at(x, y - 0.36 * size) << ' ' << align << " font '"
        << figure_font << weight << ',' << number(size * font_scale) << "' textcolor rgb '" << hex(color)
        << "' front\n";
  }
  void margins(const Box& box) {
    out << "set lmargin at screen " << number(box.left / layout.width) << "\nset rmargin at screen "
        << number(box.right / layout.width) << "\nset tmargin at screen "
        << number(1 - box.top / layout.height) << "\nset bmargin at screen "
        << number(1 - box.bottom / layout.height) << '\n';
  }
  void segment(double x1, double y1, double x2, double y2, Color color, const char* style) {
    out << "set arrow from " << at(x1, y1) << " to " << at(x2, y2) << " nohead front " << style << " lc rgb '"
        << hex(color) << "'\n";
  }
  void rectangle(const Box& box, Color color, const char* layer, const char* fill = "solid 1.0") {
    out << "set object rectangle from " << at(box.left, box.bottom) << " to " << at(box.right, box.top) << ' '
        << layer << " fc rgb '" << hex(color) << "' fs " << fill << " noborder\n";
  }
  double pixel_x(const PanelLayout& place, double x) const {
    return place.plot.left + place.x.fraction(x) * place.plot.width();
  }
  double pixel_y(const PanelLayout& place, double y) const {
    return place.plot.bottom - place.y.fraction(y) * place.plot.height();
  }
};

/// Sizes: SVG takes CSS pixels and font pixels; pngcairo draws two pixels for each; pdfcairo takes inches;
/// both take points of 1/72 inch for fonts.
void begin(Drawing& drawing) {
  const double width = drawing.layout.width, height = drawing.layout.height;
  drawing.out << "reset\nset encoding utf8\nset terminal ";
  if (drawing.format == ImageFormat::svg) {
    drawing.out << "svg size " << number(width) << ',' << number(height);
  } else if (drawing.format == ImageFormat::png) {
    drawing.font_scale = 1.5;
    drawing.out << "pngcairo size " << number(2 * width) << ',' << number(2 * height)
                << " linewidth 2 pointscale 2";
  } else {
    drawing.font_scale = 0.75;
    drawing.out << "pdfcairo size " << number(width / 96) << "in," << number(height / 96)
                << "in fontscale 1 linewidth 0.75 pointscale 0.5";
  }
  drawing.out << " noenhanced font '" << figure_font << ','
              << number(drawing.layout.small_font_size * drawing.font_scale) << "' background rgb '"
              << hex(drawing.look.paper) << "'\nunset key\nunset colorbox\nset multiplot\n";
}

/// Title and colour key, drawn by an empty plot over the whole picture.
void draw_header(Drawing& drawing) {
  const FigureLayout& layout = drawing.layout;
  const double small = layout.small_font_size;
  if (layout.title_y > 0) {
    drawing.text(drawing.figure.title, layout.left, layout.title_y, 1.15 * layout.font_size, drawing.look.ink,
                 "left", ":Bold");
  }
  if (layout.has_key()) {
    const std::optional<ColorScale>& scale = drawing.figure.color_scale;
    drawing.text(scale ? scale->label : drawing.figure.color_key_label, layout.left, layout.key_label_y,
                 small, drawing.look.ink);
    const std::size_t cells = scale ? 128 : drawing.figure.color_key.size();
    const double cell = layout.key.width() / static_cast<double>(cells);
    for (std::size_t i = 0; i < cells; ++i) {
      const double position = (static_cast<double>(i) + 0.5) / static_cast<double>(cells);
      const Color color = !scale          ? sequence_color(i, cells)
                          : scale->centre ? diverging_color(position)
                                          : sequential_color(position);
      const double left = layout.key.left + static_cast<double>(i) * cell;
      drawing.rectangle(
          {left, layout.key.top, std::min(left + cell + 0.6, layout.key.right), layout.key.bottom}, color,
          "front");
    }
    for (const Tick& tick : layout.key_ticks) {
      drawing.text(tick.label, layout.key.left + tick.position * layout.key.width(),
                   layout.key.bottom + 1.15 * small, 0.92 * small, drawing.look.muted, "center");
    }
  }
  drawing.margins({0, 0, layout.width, layout.height});
  drawing.out << "unset border\nunset tics\nset xrange [0:1]\nset yrange [0:1]\n"
              << "plot NaN notitle\nunset label\nunset object\n";
}

/// A tick's label, which gnuplot takes for a format.
std::string quote_format(std::string_view text) {
  std::string doubled;
  for (const char c : text) doubled += c == '%' ? std::string("%%") : std::string(1, c);
  return quote(doubled);
}

void set_ticks(Drawing& drawing, const char* axis, const std::vector<Tick>& ticks) {
  drawing.out << "set " << axis << "tics scale 0 nomirror textcolor rgb '" << hex(drawing.look.muted)
              << "' (";
  for (std::size_t i = 0; i < ticks.size(); ++i) {
    drawing.out << (i > 0 ? "," : "") << quote_format(ticks[i].label) << ' ' << number(ticks[i].position);
  }
  drawing.out << ")\n";
}

void set_axes(Drawing& drawing, const PanelLayout& place) {
  drawing.margins(place.plot);
  drawing.out << "set xrange [" << number(place.x.minimum) << ':' << number(place.x.maximum)
              << "]\nset yrange [" << number(place.y.minimum) << ':' << number(place.y.maximum) << "]\n"
              << (place.y.logarithmic ? "set logscale y\n" : "unset logscale\n");
  set_ticks(drawing, "x", place.x.ticks);
  set_ticks(drawing, "y", place.y.ticks);
}

/// Chance levels and bounds that lie inside the plot, each with its name above the line.
void draw_references(Drawing& drawing, const PanelLayout& place) {
  const double small = drawing.layout.small_font_size;
  for (const Reference& reference : drawing.figure.references) {
    const double top = reference.high.value_or(reference.value);
    const auto is_inside = [&](double value) {
      return place.y.fraction(value) >= -1e-9 && place.y.fraction(value) <= 1 + 1e-9;
    };
    if (!is_inside(reference.value) || !is_inside(top)) continue;
    const double y = drawing.pixel_y(place, top), bottom = drawing.pixel_y(place, reference.value);
    drawing.segment(place.plot.left, y, place.plot.right, y, drawing.look.chance, "lw 1.3 dt (7,4)");
    if (reference.high) {
      drawing.segment(place.plot.left, bottom, place.plot.right, bottom, drawing.look.chance,
                      "lw 1.3 dt (7,4)");
      drawing.rectangle({place.plot.left, y, place.plot.right, bottom}, drawing.look.chance, "behind",
                        "transparent solid 0.15");
    }
    drawing.text(reference.label, place.plot.right - 4, y - 0.4 * small, 0.95 * small, drawing.look.muted,
                 "right");
  }
}

void draw_end_labels(Drawing& drawing, const PanelLayout& place, const Panel& panel) {
  const double small = drawing.layout.small_font_size;
  for (const EndLabel& label : place.end_labels) {
    const Color color = drawing.line_color(panel.series[label.series]);
    drawing.segment(place.plot.right + 3, label.line_y, place.plot.right + 13, label.y, color, "lw 1");
    drawing.text(label.text, place.plot.right + 16, label.y + 0.36 * small, small, color);
  }
}

void draw_point_labels(Drawing& drawing, const PanelLayout& place, const Panel& panel) {
  const double size = 0.92 * drawing.layout.small_font_size;
  for (const PointLabel& label : place.point_labels) {
    drawing.text(label.text, label.x, label.y + 0.36 * size, size,
                 drawing.line_color(panel.series[label.series]), "center");
  }
}

/// Columns of a panel's series, in the order of the plot command.
void send_series(Drawing& drawing, const Series& series) {
  if (!series.low.empty()) drawing.out.send1d(std::make_tuple(series.x, series.low, series.high));
  drawing.out.send1d(std::make_tuple(series.x, series.y));
}

void draw_lines(Drawing& drawing, const Panel& panel) {
  const bool few = panel.series.size() <= 24;
  drawing.out << "plot NaN notitle";
  for (const Series& series : panel.series) {
    const std::string color = " lc rgb '" + hex(drawing.line_color(series)) + "' ";
    if (!series.low.empty()) {
      drawing.out << ", '-' using 1:2:3 with filledcurves" << color
                  << "fs transparent solid 0.10 noborder notitle";
    }
    const std::size_t dash = drawing.figure.line_colors == LineColors::categories && !series.total
                                 ? series.color / categorical_colors
                                 : 0;
    const char* pattern = dash % 3 == 0 ? "dt solid" : dash % 3 == 1 ? "dt (6,3)" : "dt (2,3)";
    drawing.out << ", '-' using 1:2 with "
                << (few && series.x.size() <= 40 ? "linespoints pt 7 ps 0.42" : "lines") << " lw "
                << (few ? "2 " : "1.2 ") << pattern << color << "notitle";
  }
  drawing.out << '\n';
  for (const Series& series : panel.series) send_series(drawing, series);
}

/// gnuplot wants at least two points in each direction: a single row is drawn as two halves.
void draw_heatmap(Drawing& drawing, const Heatmap& map) {
  const std::size_t rows = map.row_labels.size(), columns = map.column_labels.size();
  const std::size_t high = rows == 1 ? 2 : 1, wide = columns == 1 ? 2 : 1;
  std::vector<double> x, y, red, green, blue, alpha;
  for (std::size_t i = 0; i < rows * high; ++i) {
    for (std::size_t j = 0; j < columns * wide; ++j) {
      const double value = map.values[i / high * columns + j / wide];
      const Color color = std::isnan(value) ? Color{} : heatmap_color(*drawing.figure.color_scale, value);
      x.push_back(wide == 1 ? static_cast<double>(j) : static_cast<double>(j) / 2 - 0.25);
      y.push_back(high == 1 ? static_cast<double>(i) : static_cast<double>(i) / 2 - 0.25);
      red.push_back(color.red), green.push_back(color.green), blue.push_back(color.blue);
      alpha.push_back(std::isnan(value) ? 0 : 255);
    }
  }
  drawing.out << "plot '-' using 1:2:3:4:5:6 with rgbalpha"
              << (drawing.format == ImageFormat::svg ? "" : " pixels") << " notitle\n";
  drawing.out.send1d(std::make_tuple(x, y, red, green, blue, alpha));
}

/// The values themselves, where the cells have room for them.
void draw_cell_values(Drawing& drawing, const PanelLayout& place, const Heatmap& map) {
  const std::size_t columns = map.column_labels.size();
  const double small = 0.88 * drawing.layout.small_font_size;
  const double cell_width = place.plot.width() / static_cast<double>(columns);
  const double cell_height = place.plot.height() / static_cast<double>(map.row_labels.size());
  if (cell_width < 3.1 * small || cell_height < 1.3 * small) return;
  for (std::size_t i = 0; i < map.values.size(); ++i) {
    if (std::isnan(map.values[i])) continue;
    const Color ground = heatmap_color(*drawing.figure.color_scale, map.values[i]);
    const bool bright = 0.299 * ground.red + 0.587 * ground.green + 0.114 * ground.blue > 140;
    drawing.text(format_number(map.values[i], 2), drawing.pixel_x(place, static_cast<double>(i % columns)),
                 drawing.pixel_y(place, static_cast<double>(i / columns)) + 0.36 * small, small,
                 bright ? Color{20, 20, 20} : Color{250, 250, 250}, "center");
  }
}

void draw_panel(Drawing& drawing, const Panel& panel, const PanelLayout& place) {
  const FigureLayout& layout = drawing.layout;
  set_axes(drawing, place);
  if (layout.panels.size() > 1) {
    drawing.text(panel.title, place.plot.left, place.title_y, layout.font_size, drawing.look.ink, "left",
                 ":Bold");
  }
  drawing.text(drawing.figure.y.label, panel.heatmap || drawing.figure.plane ? place.plot.left : layout.left,
               place.label_y, layout.small_font_size, drawing.look.muted);
  drawing.text(drawing.figure.x.label, (place.plot.left + place.plot.right) / 2, place.x_label_y,
               layout.small_font_size, drawing.look.muted, "center");
  if (panel.heatmap) {
    drawing.out << "set border 0\nunset grid\n";
    drawing.rectangle(place.plot, drawing.look.grid, "back");
    draw_cell_values(drawing, place, *panel.heatmap);
    draw_heatmap(drawing, *panel.heatmap);
  } else {
    drawing.out << "set border 1 lc rgb '" << hex(drawing.look.chance) << "' lw 1\nset grid "
                << (drawing.figure.plane ? "xtics ytics" : "noxtics ytics") << " back lt 1 lw 1 lc rgb '"
                << hex(drawing.look.grid) << "'\n";
    draw_references(drawing, place);
    draw_end_labels(drawing, place, panel);
    draw_point_labels(drawing, place, panel);
    draw_lines(drawing, panel);
  }
  drawing.out << "unset label\nunset arrow\nunset object\n";
}

void write_figure(gnuplotio::Gnuplot& out, const Figure& figure, const RenderOptions& options) {
  const FigureLayout layout = lay_out(figure, options.width, options.height, options.with_title);
  Drawing drawing{.out = out, .figure = figure, .layout = layout, .format = options.format};
  begin(drawing);
  draw_header(drawing);
  for (std::size_t i = 0; i < figure.panels.size(); ++i) {
    draw_panel(drawing, figure.panels[i], layout.panels[i]);
  }
  out << "unset multiplot\nunset output\n";
}

std::string purpose(const Figure& figure) {
  return "figure '" + figure.id + "'";
}

/// The script of all figures, ready to be read from its beginning.
FileHandle write_script(std::span<const RenderJob> jobs) {
  const std::string name = purpose(jobs[0].figure);
  FileHandle script = memory_file(name);
  const int copy = dup(fileno(script.get()));  // the library closes what it is given
  std::FILE* stream = copy < 0 ? nullptr : fdopen(copy, "w");
  if (stream == nullptr) throw_errno(name, "cannot write the gnuplot script");
  gnuplotio::Gnuplot out(stream);
  errno = 0;
  for (const RenderJob& job : jobs) write_figure(out, job.figure, job.options);
  out << std::flush;
  // Of a write that was cut short the stream does not tell the reason; another one fails for the same.
  if (!out && errno == 0 && ::write(fileno(script.get()), "\n", 1) == 1) errno = EIO;
  if (!out) throw_errno(name, "cannot write the gnuplot script");
  return script;
}

/// The documents of a text in which each begins with an XML declaration. No text inside a document holds one:
/// it would be escaped.
std::vector<std::string> split_documents(const std::string& text) {
  constexpr std::string_view start = "<?xml ";
  std::vector<std::string> documents;
  for (std::size_t at = text.find(start); at != std::string::npos;) {
    const std::size_t next = text.find(start, at + start.size());
    documents.push_back(text.substr(at, next == std::string::npos ? next : next - at));
    at = next;
  }
  return documents;
}

}  // namespace

ImageFormat image_format(const std::filesystem::path& path) {
  std::string extension = path.extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  if (extension == ".svg") return ImageFormat::svg;
  if (extension == ".png") return ImageFormat::png;
  if (extension == ".pdf") return ImageFormat::pdf;
  throw UsageError(path.string() + ": unknown image format (expected .svg, .png or .pdf, found " +
                   (extension.empty() ? "none" : "'" + extension + "'") + ")");
}

std::string render(const Figure& figure, const RenderOptions& options) {
  const RenderJob job = {figure, options};
  const std::string image = run_gnuplot(write_script(std::span(&job, 1)).get(), purpose(figure));
  if (image.empty()) throw GnuplotError(purpose(figure) + ": gnuplot drew nothing");
  return options.format == ImageFormat::svg ? tidy_svg(image, figure) : image;
}

std::vector<std::string> render_svgs(std::span<const RenderJob> jobs) {
  if (jobs.empty()) return {};
  std::vector<std::string> images = split_documents(run_gnuplot(write_script(jobs).get(), "figures"));
  if (images.size() != jobs.size()) throw GnuplotError("figures: gnuplot did not draw all of them");
  for (std::size_t i = 0; i < jobs.size(); ++i) images[i] = tidy_svg(images[i], jobs[i].figure);
  return images;
}

void render_figure(const Figure& figure, const OutputTarget& target, ImageFormat format) {
  RenderOptions options;
  options.format = format;
  write_output(target, render(figure, options));
}

}  // namespace moescope
