#pragma once
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

/// Tables of fixed pitch in light box drawing.
namespace lab::report {

enum class Style : unsigned char { plain, bold, dim, good, bad, accent };
/// The text between the escape sequences of a style; the text itself when `color` is false.
std::string styled(std::string_view text, Style style, bool color);

struct TextColumn {
    std::string title;
    bool right = false;
    /// The texts of a column may be wrapped to this width; 0 = never.
    std::size_t shrinks_to = 0;
    /// Columns with a rank are left out when there is no room, the highest rank first; 0 = never.
    int rank = 0;
};

struct TextCell {
    std::string text;  ///< printable(); fit() may break it into lines
    Style style = Style::plain;
};

class TextTable {
  public:
    explicit TextTable(std::vector<TextColumn> columns) : columns_(std::move(columns)) {}
    void add(std::vector<TextCell> row) { rows_.push_back(std::move(row)); }
    /// Leaves out the columns in which no row has a text.
    void drop_empty_columns();
    std::size_t width() const;
    /// Fits the table into `width` columns: wraps, then leaves columns out. The titles of what
    /// was left out.
    std::vector<std::string> fit(std::size_t width);
    std::string text(bool color) const;

  private:
    std::vector<std::size_t> widths() const;
    void remove_column(std::size_t column);
    std::string rule(
        const std::vector<std::size_t>& widths,
        std::string_view left,
        std::string_view middle,
        std::string_view right,
        bool color
    ) const;

    std::vector<TextColumn> columns_;
    std::vector<std::vector<TextCell>> rows_;
};

}  // namespace lab::report
