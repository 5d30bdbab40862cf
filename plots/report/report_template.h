#pragma once
/// report.html, report.css and report.js as they are, put into the library when it is built.

#include <string_view>

namespace moescope {

extern const std::string_view report_html;  // with {{NAME}} where something is to be filled in
extern const std::string_view report_css;
extern const std::string_view report_js;
extern const std::string_view report_js_sha256;  // hexadecimal

}  // namespace moescope
