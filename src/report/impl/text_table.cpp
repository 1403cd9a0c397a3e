#include "report/impl/text_table.h"

#include "base/text.h"
#include "report/impl/display.h"

#include <algorithm>

namespace lab::report {
namespace {
std::string_view escape_of(Style style) {
    switch (style) {
        case Style::bold:
            return "\x1b[1m";
        case Style::dim:
            return "\x1b[2m";
        case Style::good:
            return "\x1b[32m";
        case Style::bad:
            return "\x1b[31m";
        case Style::accent:
            return "\x1b[36m";
        case Style::plain:
            break;
    }
    return "";
}

std::string padded(std::string_view text, std::size_t width, bool right) {
    const std::size_t used = display_width(text);
    const std::string space(width > used ? width - used : 0, ' ');
    return right ? space + std::string(text) : std::string(text) + space;
}
}  // namespace

std::string styled(std::string_view text, Style style, bool color) {
    if (!color || style == Style::plain || text.empty()) {
        return std::string(text);
    }
    return std::string(escape_of(style)) + std::string(text) + "\x1b[0m";
}

std::vector<std::size_t> TextTable::widths() const {
    std::vector<std::size_t> out;
    for (std::size_t c = 0; c < columns_.size(); ++c) {
        std::size_t width = display_width(columns_[c].title);
        for (const std::vector<TextCell>& row : rows_) {
            for (const std::string_view line : split(row[c].text, '\n')) {
                width = std::max(width, display_width(line));
            }
        }
        out.push_back(width);
    }
    return out;
}

std::size_t TextTable::width() const {
    std::size_t out = 1;
    for (const std::size_t width : widths()) {
        out += width + 3;
    }
    return out;
}

void TextTable::remove_column(std::size_t column) {
    columns_.erase(columns_.begin() + static_cast<std::ptrdiff_t>(column));
    for (std::vector<TextCell>& row : rows_) {
        row.erase(row.begin() + static_cast<std::ptrdiff_t>(column));
    }
}

void TextTable::drop_empty_columns() {
    for (std::size_t c = columns_.size(); c-- > 0;) {
        const bool empty = std::ranges::all_of(rows_, [&](const std::vector<TextCell>& row) {
            return row[c].text.empty();
        });
        if (empty) {
            remove_column(c);
        }
    }
}

std::vector<std::string> TextTable::fit(std::size_t width_max) {
    std::vector<std::string> left_out;
    for (;;) {
        const std::size_t now = width();
        if (now <= width_max) {
            return left_out;
        }
        std::size_t excess = now - width_max;
        const std::vector<std::size_t> all = widths();
        std::size_t spare = 0;
        for (std::size_t c = 0; c < columns_.size(); ++c) {
            const std::size_t least = columns_[c].shrinks_to;
            spare += least > 0 && all[c] > least ? all[c] - least : 0;
        }
        const auto worst = std::ranges::max_element(columns_, {}, &TextColumn::rank);
        if (spare < excess && worst != columns_.end() && worst->rank > 0) {
            left_out.push_back(worst->title);
            remove_column(static_cast<std::size_t>(worst - columns_.begin()));
            continue;
        }
        // What can be shortened gives in proportion to what it has; what is left stays too wide.
        for (std::size_t c = 0; c < columns_.size() && spare > 0; ++c) {
            const std::size_t least = columns_[c].shrinks_to;
            if (least == 0 || all[c] <= least) {
                continue;
            }
            const std::size_t own = all[c] - least;
            const std::size_t gives = std::min(own, (own * excess + spare - 1) / spare);
            spare -= own;
            excess -= std::min(excess, gives);
            columns_[c].title = abbreviate(columns_[c].title, all[c] - gives);
            for (std::vector<TextCell>& row : rows_) {
                row[c].text = join(wrap_name(row[c].text, all[c] - gives), "\n");
            }
        }
        return left_out;
    }
}

std::string TextTable::rule(
    const std::vector<std::size_t>& all,
    std::string_view left,
    std::string_view middle,
    std::string_view right,
    bool color
) const {
    std::string out(left);
    for (std::size_t c = 0; c < all.size(); ++c) {
        for (std::size_t i = 0; i < all[c] + 2; ++i) {
            out += "─";
        }
        out += c + 1 == all.size() ? right : middle;
    }
    return styled(out, Style::dim, color) + "\n";
}

std::string TextTable::text(bool color) const {
    const std::vector<std::size_t> all = widths();
    const std::string bar = styled("│", Style::dim, color);
    std::string out = rule(all, "┌", "┬", "┐", color) + bar;
    for (std::size_t c = 0; c < columns_.size(); ++c) {
        const std::string title = padded(columns_[c].title, all[c], columns_[c].right);
        out += " " + styled(title, Style::bold, color) + " " + bar;
    }
    out += "\n" + rule(all, "├", "┼", "┤", color);
    for (const std::vector<TextCell>& row : rows_) {
        std::vector<std::vector<std::string_view>> cells;
        std::size_t lines = 1;
        for (const TextCell& cell : row) {
            cells.push_back(split(cell.text, '\n'));
            lines = std::max(lines, cells.back().size());
        }
        for (std::size_t i = 0; i < lines; ++i) {
            out += bar;
            for (std::size_t c = 0; c < columns_.size(); ++c) {
                const std::string_view line = i < cells[c].size() ? cells[c][i] : "";
                const std::string cell = padded(line, all[c], columns_[c].right);
                out += " " + styled(cell, row[c].style, color) + " " + bar;
            }
            out += "\n";
        }
    }
    return out + rule(all, "└", "┴", "┘", color);
}

}  // namespace lab::report
