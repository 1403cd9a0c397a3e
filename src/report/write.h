#pragma once
#include "report/model.h"
#include "report/sink.h"

#include <string_view>

namespace lab::report {

enum class Format : std::uint8_t {
    html,
    json,
    yaml,
    csv,
    comparisons_csv,
    items_csv,
    markdown,
    junit,
    text,     ///< what a run prints at its end, 100 columns wide
    compact,  ///< one line a variant, comparison and gate
};

/// By extension: .html .htm, .json, .yaml .yml, .csv (the variants; .comparisons.csv and .items.csv
/// for the other tables), .md .markdown, .xml. Errors: validation, naming the valid ones.
Result<Format> format_of_path(std::string_view path);

/// `items` may be nullptr: then there is no item table (and items_csv is an error, validation).
Status write(const Report& report, const ItemSource* items, Format format, const Sink& sink);

}  // namespace lab::report
