#include "plots/report/html_report.h"

#include <algorithm>
#include <memory>
#include <span>
#include <string>
#include <system_error>

#include "plots/figure/figure_text.h"
#include "plots/figures/figures.h"
#include "plots/findings/findings.h"
#include "plots/findings/report_facts.h"
#include "plots/gnuplot/gnuplot.h"
#include "plots/gnuplot/svg.h"
#include "plots/report/report_json.h"
#include "plots/report/report_page.h"
#include "plots/report/report_template.h"
#include "readers/files/output_file.h"
#include "readers/run_file/run_file.h"

namespace moescope {
namespace {

/// Everything that the report shows, before it is put together.
struct Content {
  std::vector<PageFigure> figures;
  std::vector<std::string> svgs;  // of each figure, as a file of its own
  std::vector<HeatmapExplorer> explorers;
  Omitted omitted;  // title and reason
};

/// Draws every figure as a file, and those with lines also for the page, wide and narrow.
void draw(Content& content) {
  std::vector<RenderJob> jobs;
  for (const PageFigure& page : content.figures) {
    jobs.push_back({page.figure, {}});
    if (page.look != PageFigure::Look::lines) continue;
    for (const int width : {wide_chart, narrow_chart}) {
      jobs.push_back(
          {page.figure, {.format = ImageFormat::svg, .width = width, .height = 0, .with_title = false}});
    }
  }
  std::vector<std::string> images = render_svgs(jobs);
  auto image = images.begin();
  for (PageFigure& page : content.figures) {
    content.svgs.push_back(std::move(*image++));
    if (page.look != PageFigure::Look::lines) continue;
    page.wide_svg = inline_svg(*image++, page.figure.id + "-wide-");
    page.narrow_svg = inline_svg(*image++, page.figure.id + "-narrow-");
  }
}

/// What the page shows of a figure: nothing that is all zero is drawn.
void find_look(const RunFile& run, const FigureEntry& entry, PageFigure& page, Content& content) {
  auto explorer = explorer_of(run, entry);
  if (explorer ? is_all_zero(*explorer) : is_all_zero(page.figure)) {
    page.look = PageFigure::Look::zero;
  } else if (explorer) {
    page.look = PageFigure::Look::heatmap;
    content.explorers.push_back(std::move(*explorer));
  }
}

Content collect(const RunFile& run) {
  Content content;
  for (const FigureEntry& entry : figure_table()) {
    std::string reason = figure_unavailable(run, entry);
    PageFigure page = {.figure = {}, .title = entry.title, .section = entry.section};
    if (reason.empty()) {
      page.figure = figure_of(run, entry);
      if (!has_number(page.figure)) reason = figure_without_number;
    }
    if (!reason.empty()) {
      content.omitted.emplace_back(entry.title, reason);
      continue;
    }
    find_look(run, entry, page, content);
    content.figures.push_back(std::move(page));
  }
  draw(content);
  return content;
}

/// The hexadecimal digest as the policy wants it.
std::string base64_of_hex(std::string_view hexadecimal) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < hexadecimal.size(); i += 2) {
    bytes += static_cast<char>(std::stoi(std::string(hexadecimal.substr(i, 2)), nullptr, 16));
  }
  return base64(bytes);
}

std::vector<std::pair<std::string, std::string>> fingerprints(const ReportFacts& facts) {
  std::vector<std::pair<std::string, std::string>> entries;
  for (const CheckpointFacts& checkpoint : facts.checkpoints) {
    entries.emplace_back(checkpoint.name,
                         checkpoint.fingerprint.empty() ? "unknown" : checkpoint.fingerprint);
  }
  return entries;
}

bool has_router(const ReportFacts& facts) {
  return !facts.labels.moe_layers.empty();
}

constexpr const char* routing_caution =
    "<p class=\"note\">Routing statistics are associations, not causes: that an expert takes many tokens of a "
    "domain does not show what it does to them. Where a figure has a chance level or a bound, it is stated; "
    "compare models of other sizes only against it.</p>\n";
constexpr const char* routing_columns =
    "MaxVio, entropies and saturation are means over MoE layers, with the tokens of all domains together; "
    "entropies are shares of their maximum ln E. (4 of 5): so many layers have a value, and the mean is over "
    "them.";

/// What the page says of the files beside it; nothing where there is none.
std::string beside(const std::string& before, const std::filesystem::path& path, const std::string& after) {
  if (path.empty()) return {};
  return escape_markup(before + path.filename().string() + after);
}

std::string page(const ReportFacts& facts, const Content& content, const ReportFiles& files) {
  std::vector<Figure> lines;
  for (const PageFigure& figure : content.figures) {
    if (figure.look == PageFigure::Look::lines) lines.push_back(figure.figure);
  }
  return fill_template(
      report_html,
      {{"script_sha256", base64_of_hex(report_js_sha256)},
       {"title", escape_markup(facts.title)},
       {"kind_of_model", has_router(facts) ? "mixture of experts" : "language model"},
       {"caution", has_router(facts) ? routing_caution : ""},
       {"what_columns_are", has_router(facts) ? routing_columns : ""},
       {"subtitle", escape_markup(facts.subtitle)},
       {"light_theme", theme_variables(false)},
       {"dark_theme", theme_variables(true)},
       {"style", std::string(report_css)},
       {"headlines", headlines_html(report_headlines(facts))},
       {"navigation", navigation_html(content.figures)},
       {"notes", notes_html(facts.notes)},
       {"findings", findings_html(report_findings(facts))},
       {"glance", definitions_html(facts.glance)},
       {"sections", sections_html(content.figures)},
       {"numbers_beside", beside(" The same numbers, and more, are in ", files.summary, ".")},
       {"figures_beside", beside(" Without it, see ", files.figures, "/*.svg.")},
       {"files_beside", beside(" The figures lie beside this page as ", files.figures, "/*.svg,") +
                            beside(" its numbers as ", files.summary, ".")},
       {"checkpoint_table", checkpoint_table_html(facts)},
       {"omitted", omitted_html(content.omitted)},
       {"provenance", definitions_html(facts.provenance)},
       {"fingerprints", definitions_html(fingerprints(facts))},
       {"data", page_json(facts, lines, content.explorers)},
       {"script", std::string(report_js)}});
}

/// Removes the figures that an earlier report of this name had and this one, which has `ids`, lacks.
void remove_stale_figures(const std::filesystem::path& folder, const std::vector<std::string>& ids) {
  for (const FigureEntry& entry : figure_table()) {
    if (std::ranges::find(ids, entry.id) == ids.end()) std::filesystem::remove(folder / (entry.id + ".svg"));
  }
}

/// Of each figure, in order.
std::vector<std::string> figure_ids(const Content& content) {
  std::vector<std::string> ids;
  for (const PageFigure& page : content.figures) ids.push_back(page.figure.id);
  return ids;
}

/// Files that appear together: each lies complete beside its target before the first takes its place. Where
/// one fails, what was not there before is gone again.
class FileSet {
 public:
  /// None of the files takes the place of `input`.
  explicit FileSet(std::filesystem::path input) : input_(std::move(input)) {}
  FileSet(const FileSet&) = delete;
  FileSet& operator=(const FileSet&) = delete;
  ~FileSet() {
    staged_.clear();
    std::error_code ignored;  // a folder in which others have put something stays
    while (!made_.empty() && !published_) {
      std::filesystem::remove(made_.back(), ignored);
      made_.pop_back();
    }
  }

  void make_folder(const std::filesystem::path& path) {
    if (std::filesystem::create_directory(path)) made_.push_back(path);
  }
  void add(const std::filesystem::path& path, std::string_view content) {
    const OutputTarget target = find_output(path);
    require_not_among(target, std::span(&input_, 1));
    targets_.push_back(target);
    staged_.push_back(std::make_unique<OutputFile>(target));
    staged_.back()->stream() << content << std::flush;
  }
  void publish() {
    for (std::size_t i = 0; i < staged_.size(); ++i) {
      const bool is_new = targets_[i].is_file() && !std::filesystem::exists(targets_[i].path);
      staged_[i]->publish();
      if (is_new) made_.push_back(targets_[i].path);
    }
    published_ = true;
  }

 private:
  std::filesystem::path input_;
  std::vector<OutputTarget> targets_;
  std::vector<std::unique_ptr<OutputFile>> staged_;
  std::vector<std::filesystem::path> made_;  // that was not there before
  bool published_ = false;
};

/// The page with what lies beside it.
void write_files(const ReportFiles& files, const ReportFacts& facts, const Content& content,
                 const std::filesystem::path& input) {
  const std::vector<std::string> ids = figure_ids(content);
  const std::string html = page(facts, content, files), summary = summary_json(facts, ids, content.omitted);
  FileSet all(input);
  all.make_folder(files.figures);
  for (std::size_t i = 0; i < ids.size(); ++i) all.add(files.figures / (ids[i] + ".svg"), content.svgs[i]);
  all.add(files.summary, summary);
  all.add(files.html, html);
  all.publish();
  remove_stale_figures(files.figures, ids);
}

}  // namespace

ReportFiles report_files(const std::filesystem::path& html_path) {
  const std::filesystem::path folder = html_path.has_parent_path() ? html_path.parent_path() : ".";
  const std::string prefix = html_path.filename() == "report.html" ? "" : html_path.stem().string() + ".";
  return {html_path, folder / (prefix + "summary.json"), folder / (prefix + "figures"), 0};
}

ReportFiles write_report(const RunFile& run, const std::filesystem::path& html_path) {
  const OutputTarget target = find_output(html_path);
  const std::filesystem::path input[] = {run.path()};
  require_not_among(target, input);
  ReportFiles files{html_path, {}, {}, 0};
  if (target.is_file()) files = report_files(html_path);
  const ReportFacts facts = read_report_facts(run);
  const Content content = collect(run);
  if (target.is_file()) {
    write_files(files, facts, content, run.path());
  } else {
    write_output(target, page(facts, content, files));
  }
  files.figure_count = content.figures.size();
  return files;
}

}  // namespace moescope
