#pragma once
#include "base/result.h"

#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

namespace lab::cli {

/// Where a command writes and what the other end can show.
struct Console {
    std::FILE* out = stdout;
    std::FILE* err = stderr;
    bool out_is_terminal = false;
    bool err_is_terminal = false;
    bool color = false;  ///< of out
    bool err_color = false;
    int width = 80;  ///< columns of out
    bool verbose = false;
};
Console make_console(std::FILE* out, std::FILE* err, bool color_wanted, bool verbose);

/// Everything, or the error: a full disk or a closed pipe is not silently ignored.
Status write_all(std::FILE* file, std::string_view text);
/// Whether it is an error of write_all that whoever read the output has gone, as `head` does.
bool is_reader_gone(const Error& error);

/// "error: ..." with one line for each detail, and a hint where there is one.
void print_error(const Console& console, const Error& error);
void note(const Console& console, std::string_view text);

/// A text of somebody else to out, ended with a line break: byte by byte, and on a terminal without
/// what would steer it.
Status print_text(const Console& console, std::string_view text);

/// A small table of texts: lists of runs, datasets, settings.
struct Table {
    std::vector<std::string> columns;
    std::vector<std::vector<std::string>> rows;
    std::vector<bool> numeric;  ///< by column; empty = none
};
/// format: table, json, yaml, csv or compact. Whole numbers of numeric columns are numbers in JSON.
Status print_table(const Console& console, const Table& table, const std::string& format);

/// One thing with many properties.
struct Field {
    std::string name;
    std::string value;
    bool is_json = false;  ///< `value` is JSON: a number, an object; else it is text
};
/// As print_table with the columns "field" and "value"; in JSON and YAML one object. In a table a
/// value of several lines is shown as such.
Status print_fields(
    const Console& console, const std::vector<Field>& fields, const std::string& format
);

}  // namespace lab::cli
