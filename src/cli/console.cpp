#include "cli/console.h"

#include "base/text.h"
#include "platform/json/json.h"
#include "report/terminal.h"

#include <nlohmann/json.hpp>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <utility>

namespace lab::cli {
namespace {

constexpr const char* kReaderGone = "EPIPE";

std::string quoted_csv(std::string cell) {
    if (!cell.empty() && std::string_view("=+-@\t\r").contains(cell.front())) {
        cell.insert(0, "'");  // a name must not be a formula
    }
    if (cell.find_first_of(",\"\r\n") == std::string::npos) {
        return cell;
    }
    std::string out = "\"";
    for (const char c : cell) {
        out += c;
        out += c == '"' ? "\"" : "";
    }
    return out + '"';
}

/// Names of experiments and words of servers must not steer the terminal; line breaks and tabs
/// stay.
std::string safe_lines(std::string_view text) {
    std::string out;
    for (std::size_t at = 0; at <= text.size();) {
        const std::size_t end = std::min(text.find('\n', at), text.size());
        out += at > 0 ? "\n" : "";
        for (const std::string_view part : split(text.substr(at, end - at), '\t')) {
            out += part.data() == text.data() + at ? "" : "\t";
            out += report::printable(part);
        }
        at = end + 1;
    }
    return out;
}

Table printable_table(Table table) {
    for (std::vector<std::string>& row : table.rows) {
        for (std::string& cell : row) {
            cell = report::printable(cell);
        }
    }
    return table;
}

std::string as_table(const Table& table, bool color) {
    std::vector<std::size_t> widths;
    for (std::size_t c = 0; c < table.columns.size(); ++c) {
        std::size_t width = count_code_points(table.columns[c]);
        for (const auto& row : table.rows) {
            width = std::max(width, count_code_points(row[c]));
        }
        widths.push_back(width);
    }
    std::string out;
    const auto line = [&](const std::vector<std::string>& cells) {
        std::string text;
        for (std::size_t c = 0; c < cells.size(); ++c) {
            const std::string gap(widths[c] - count_code_points(cells[c]), ' ');
            const bool right = !table.numeric.empty() && table.numeric[c];
            text += c > 0 ? "  " : "";
            text += right ? gap + cells[c] : cells[c] + gap;
        }
        out += trim_ascii(text).empty() ? "" : text.substr(0, text.find_last_not_of(' ') + 1);
        out += '\n';
    };
    out += color ? "\033[1m" : "";
    line(table.columns);
    if (color) {
        out.insert(out.size() - 1, "\033[0m");
    }
    for (const auto& row : table.rows) {
        line(row);
    }
    return out;
}

/// A cell as JSON: whole numbers of numeric columns are numbers, the rest is text.
Json cell_json(const Table& table, std::size_t column, const std::string& cell) {
    if (!table.numeric.empty() && table.numeric[column]) {
        std::int64_t number = 0;
        const char* const end = cell.data() + cell.size();
        const auto [rest, error] = std::from_chars(cell.data(), end, number);
        if (error == std::errc() && rest == end) {
            return number;
        }
    }
    return cell;
}

/// One line for each member; what JSON writes after the colon is YAML too.
std::string as_yaml(const Json& object, std::string lead, const std::string& next) {
    std::string text;
    for (const auto& [key, value] : object.items()) {
        text += lead + key + ": " + dump_json(value) + "\n";
        lead = next;
    }
    return text;
}

}  // namespace

Console make_console(std::FILE* out, std::FILE* err, bool color_wanted, bool verbose) {
    Console console{.out = out, .err = err};
    console.out_is_terminal = ::isatty(::fileno(out)) == 1;
    console.err_is_terminal = ::isatty(::fileno(err)) == 1;
    console.color = color_wanted && console.out_is_terminal;
    console.err_color = color_wanted && console.err_is_terminal;
    console.verbose = verbose;
    winsize size{};
    if (console.out_is_terminal && ::ioctl(::fileno(out), TIOCGWINSZ, &size) == 0 &&
        size.ws_col > 0) {
        console.width = size.ws_col;
    } else {
        console.width = 100;
    }
    return console;
}

Status write_all(std::FILE* file, std::string_view text) {
    if (std::fwrite(text.data(), 1, text.size(), file) != text.size() || std::fflush(file) != 0) {
        const int number = errno;
        Error error(Code::io, std::string("cannot write the output: ") + std::strerror(number));
        error.cause = number == EPIPE ? kReaderGone : "";
        return error;
    }
    return ok();
}

bool is_reader_gone(const Error& error) { return error.cause == kReaderGone; }

void print_error(const Console& console, const Error& error) {
    std::string text = console.err_color ? "\033[1;31merror:\033[0m " : "error: ";
    text += safe_lines(error.message) + "\n";
    for (const Detail& detail : error.details) {
        text += "  " + report::printable(detail.field);
        text += detail.field.empty() || detail.message.empty() ? "" : ": ";
        text += safe_lines(detail.message) + "\n";
    }
    if (console.verbose && !error.cause.empty()) {
        text += "  cause: " + safe_lines(error.cause) + "\n";
    }
    (void)write_all(console.err, text);
}

void note(const Console& console, std::string_view text) {
    (void)write_all(console.err, safe_lines(text) + "\n");
}

Status print_text(const Console& console, std::string_view text) {
    std::string out = console.out_is_terminal ? safe_lines(text) : std::string(text);
    out += text.ends_with('\n') ? "" : "\n";
    return write_all(console.out, out);
}

Status print_table(const Console& console, const Table& table, const std::string& format) {
    std::string text;
    if (format == "table") {
        text = as_table(printable_table(table), console.color);
    } else if (format == "csv" || format == "compact") {
        const std::string separator = format == "csv" ? "," : "\t";
        const auto line = [&](const std::vector<std::string>& cells) {
            std::vector<std::string> parts;
            for (const std::string& cell : cells) {
                parts.push_back(format == "csv" ? quoted_csv(cell) : report::printable(cell));
            }
            text += join(parts, separator) + "\n";
        };
        if (format == "csv") {
            line(table.columns);
        }
        for (const auto& row : table.rows) {
            line(row);
        }
    } else {
        Json list = Json::array();
        for (const auto& row : table.rows) {
            Json object = Json::object();
            for (std::size_t c = 0; c < row.size(); ++c) {
                std::string key = to_lower(table.columns[c]);
                std::ranges::replace(key, ' ', '_');
                object[key] = cell_json(table, c, row[c]);
            }
            list.push_back(std::move(object));
        }
        if (format == "yaml") {
            for (const Json& object : list) {
                text += as_yaml(object, "- ", "  ");
            }
            text = list.empty() ? "[]\n" : text;
        } else {
            text = dump_json_pretty(list) + "\n";
        }
    }
    return write_all(console.out, text);
}

Status print_fields(
    const Console& console, const std::vector<Field>& fields, const std::string& format
) {
    if (format == "json" || format == "yaml") {
        Json object = Json::object();
        for (const Field& field : fields) {
            object[field.name] = field.is_json ? parse_json(field.value).value_or(Json(field.value))
                                               : Json(field.value);
        }
        return write_all(
            console.out,
            format == "yaml" ? as_yaml(object, "", "") : dump_json_pretty(object) + "\n"
        );
    }
    Table table{.columns = {"field", "value"}, .rows = {}, .numeric = {}};
    for (const Field& field : fields) {
        if (format != "table") {
            table.rows.push_back({field.name, field.value});
            continue;
        }
        std::string name = field.name;
        for (const std::string_view line : split(field.value, '\n')) {
            table.rows.push_back({std::exchange(name, ""), std::string(line)});
        }
    }
    return print_table(console, table, format);
}

}  // namespace lab::cli
