#include "report/write.h"

#include "base/text.h"
#include "report/csv.h"
#include "report/html.h"
#include "report/json.h"
#include "report/junit.h"
#include "report/markdown.h"
#include "report/terminal.h"

#include <utility>

namespace lab::report {
namespace {
/// The longer ending first.
constexpr std::pair<std::string_view, Format> kEndings[] = {
    {".comparisons.csv", Format::comparisons_csv},
    {".items.csv", Format::items_csv},
    {".csv", Format::csv},
    {".html", Format::html},
    {".htm", Format::html},
    {".json", Format::json},
    {".yaml", Format::yaml},
    {".yml", Format::yaml},
    {".md", Format::markdown},
    {".markdown", Format::markdown},
    {".xml", Format::junit},
};
}  // namespace

Result<Format> format_of_path(std::string_view path) {
    const std::string lower = to_lower(path);
    for (const auto& [ending, format] : kEndings) {
        if (lower.ends_with(ending)) {
            return format;
        }
    }
    return Error(
        Code::validation,
        "cannot tell the format of \"" + shorten(path, 200) +
            "\": end its name in .html, .json, .yaml, .csv, .comparisons.csv, .items.csv, .md or "
            ".xml (JUnit)"
    );
}

Status write(const Report& report, const ItemSource* items, Format format, const Sink& sink) {
    switch (format) {
        case Format::html:
            return write_html(report, items, {}, sink);
        case Format::json:
            return write_json(report, items, sink);
        case Format::yaml:
            return write_yaml(report, sink);
        case Format::csv:
            return write_csv(report, sink);
        case Format::comparisons_csv:
            return write_comparisons_csv(report, sink);
        case Format::items_csv:
            if (items == nullptr) {
                return Error(Code::validation, "there are no items to write");
            }
            return write_items_csv(report, *items, sink);
        case Format::markdown:
            return write_markdown(report, sink);
        case Format::junit:
            return write_junit(report, sink);
        case Format::text:
            return write_terminal(report, {.width = 100}, sink);
        case Format::compact:
            return write_compact(report, sink);
    }
    return Error(Code::internal, "an unknown format");
}

}  // namespace lab::report
