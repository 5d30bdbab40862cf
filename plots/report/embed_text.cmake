# Writes OUTPUT, a C++ source that defines the page's parts: cmake -DOUTPUT=… -DSOURCE_DIR=… -P embed_text.cmake
set(content "// Made from report.html, report.css and report.js by embed_text.cmake.\n#include \"plots/report/report_template.h\"\n\nnamespace moescope {\n\n")
foreach(part html css js)
  file(READ "${SOURCE_DIR}/report.${part}" text)
  string(APPEND content "const std::string_view report_${part} = R\"embedded(${text})embedded\";\n\n")
endforeach()
file(SHA256 "${SOURCE_DIR}/report.js" hash)
string(APPEND content "const std::string_view report_js_sha256 = \"${hash}\";\n\n}  // namespace moescope\n")
file(WRITE "${OUTPUT}" "${content}")
