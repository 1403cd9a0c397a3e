#pragma once
#include "cli/console.h"
#include "platform/json/json.h"

#include <nlohmann/json.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace lab::cli {

/// A column of a list of objects.
struct Column {
    std::string_view title;
    std::string_view member;  ///< of each object; "a.b" goes deeper
    bool numeric = false;
};
using Columns = std::vector<Column>;

/// Prints an answer of the API. table: lists in the columns given, cut to the width of a terminal,
/// single objects one member a line, with long nested ones cut; json: as it is; yaml: the same as
/// blocks; compact and csv: the columns, one line for each object, ids first. A list is an array,
/// or the member `data` of a page; what a page leaves out is said on err.
Status print_answer(
    const Console& console, const std::string& format, const Json& answer, const Columns& columns
);

/// A member as a cell: texts as they are, lists joined, "-" for what is not there.
std::string cell_of(const Json& object, std::string_view member);
/// Block style, every text quoted as JSON quotes it.
std::string to_yaml(const Json& value);
/// Cuts cells so that a row fits `width`, the widest columns first; ids and numbers stay whole.
void fit_to_width(Table& table, int width);

}  // namespace lab::cli
