#include "base/text.h"
#include "platform/data/impl/readers.h"

#include <csv.h>

#include <algorithm>
#include <deque>
#include <limits>

namespace lab::data {
namespace {

/// libcsv takes bytes and calls back for each cell and row; rows that one piece of the file holds
/// wait in a queue. Line numbers are counted beside it, because it has none: pieces are cut at line
/// ends, so that a row that ends with a piece began where the piece before it ended.
class CsvReader final : public RowReader {
  public:
    CsvReader(ByteSource source, char separator) : source_(std::move(source)) {
        ::csv_init(&parser_, CSV_STRICT | CSV_STRICT_FINI);
        ::csv_set_delim(&parser_, static_cast<unsigned char>(separator));
        // Its buffer grows by steps of this size: the default of 128 bytes is quadratic.
        ::csv_set_blk_size(&parser_, 1U << 16);
        // Blanks around a cell are part of it.
        ::csv_set_space_func(&parser_, [](unsigned char) { return 0; });
    }
    ~CsvReader() override { ::csv_free(&parser_); }
    CsvReader(const CsvReader&) = delete;
    CsvReader& operator=(const CsvReader&) = delete;

    Result<bool> next(DataRow& row) override {
        while (true) {
            while (!ready_.empty()) {
                Raw raw = std::move(ready_.front());
                ready_.pop_front();
                if (columns_.empty()) {
                    LAB_CHECK(take_header(raw));
                    continue;
                }
                LAB_CHECK(make_row(raw, row));
                return true;
            }
            if (broken_) {
                return false;
            }
            LAB_TRY(const bool more, feed());
            if (!more && ready_.empty()) {
                if (columns_.empty()) {
                    broken_ = true;
                    return at_line(1, "the file is empty, not even a header");
                }
                return false;
            }
        }
    }
    bool broken() const override { return broken_; }

  private:
    /// Members of an object are searched one by one: thousands make every row slow.
    static constexpr std::size_t kColumnsMax = 4096;

    struct Raw {
        std::vector<std::string> cells;
        std::int64_t line = 0;
    };

    static void on_cell(void* bytes, std::size_t size, void* self) {
        auto* reader = static_cast<CsvReader*>(self);
        reader->cells_.emplace_back(static_cast<const char*>(bytes), size);
    }
    static void on_row(int, void* self) {
        auto* reader = static_cast<CsvReader*>(self);
        reader->ready_.push_back({std::move(reader->cells_), reader->row_line_});
        reader->cells_.clear();
    }

    /// Gives libcsv one line (its LF included) or what is left of the file.
    Result<bool> feed() {
        if (ended_) {
            return false;
        }
        if (piece_.empty()) {
            auto more = source_.read();
            if (!more) {
                broken_ = true;
                return more.error();
            }
            piece_ = *more;
        }
        if (piece_.empty()) {
            ended_ = true;
            if (::csv_fini(&parser_, on_cell, on_row, this) != 0) {
                broken_ = true;
                return at_line(row_line_, "the file ends inside a quoted cell");
            }
            return true;
        }
        row_line_ = row_line_ == 0 ? line_ : row_line_;
        const std::string_view part = take_line();
        const bool carries_on = part == "\n" && after_cr_;
        after_cr_ = part.ends_with('\r');
        if (::csv_parse(&parser_, part.data(), part.size(), on_cell, on_row, this) != part.size()) {
            broken_ = true;
            return at_line(
                line_,
                "a quote stands where none may: double it inside a quoted cell, and quote "
                "cells that hold one"
            );
        }
        line_ += !carries_on && (after_cr_ || part.ends_with('\n')) ? 1 : 0;
        fed_ += part.size();
        if (cells_.empty() && parser_.entry_pos == 0 && !parser_.quoted) {
            row_line_ = 0;  // an empty line, or the end of a row
            fed_ = 0;
        }
        if (fed_ > kRowBytesMax) {
            broken_ = true;
            return at_line(row_line_, "longer than 16 MiB, the limit of a row");
        }
        if (cells_.size() > kColumnsMax) {
            broken_ = true;
            return at_line(row_line_, "more than 4096 cells");
        }
        return true;
    }

    /// What is left of the piece, at most up to a line end, which belongs to it.
    std::string_view take_line() {
        std::size_t end = piece_.find_first_of("\r\n");
        if (end != std::string_view::npos) {
            end += piece_.substr(end).starts_with("\r\n") ? 2 : 1;
        }
        const std::string_view part = piece_.substr(0, end);
        piece_.remove_prefix(part.size());
        return part;
    }

    Status take_header(const Raw& raw) {
        if (raw.cells.size() > kColumnsMax) {
            broken_ = true;
            return at_line(raw.line, "more than 4096 columns");
        }
        for (const std::string& cell : raw.cells) {
            const std::string name(trim(cell));
            if (name.empty() || !is_utf8(name)) {
                broken_ = true;
                return at_line(raw.line, "a column of the header has no name");
            }
            if (std::ranges::find(columns_, name) != columns_.end()) {
                broken_ = true;
                return at_line(raw.line, "the header names the column \"" + name + "\" twice");
            }
            columns_.push_back(name);
        }
        return ok();
    }

    Status make_row(Raw& raw, DataRow& row) const {
        if (raw.cells.size() != columns_.size()) {
            return at_line(
                raw.line,
                std::to_string(raw.cells.size()) + (raw.cells.size() == 1 ? " cell" : " cells") +
                    ", the header has " + std::to_string(columns_.size())
            );
        }
        row.line = raw.line;
        row.value = Json::object();
        for (std::size_t i = 0; i < columns_.size(); ++i) {
            if (raw.cells[i].find('\0') != std::string::npos) {
                return at_line(raw.line, "a zero byte in column \"" + columns_[i] + "\"");
            }
            if (!is_utf8(raw.cells[i])) {
                return at_line(raw.line, "invalid UTF-8 in column \"" + columns_[i] + "\"");
            }
            row.value[columns_[i]] = std::move(raw.cells[i]);
        }
        return ok();
    }

    ByteSource source_;
    csv_parser parser_{};
    std::string_view piece_;
    std::vector<std::string> columns_;
    std::vector<std::string> cells_;
    std::deque<Raw> ready_;
    std::size_t fed_ = 0;
    std::int64_t line_ = 1;
    std::int64_t row_line_ = 0;  ///< where the row in the making begins; 0 = none yet
    bool after_cr_ = false;
    bool ended_ = false;
    bool broken_ = false;
};

}  // namespace

std::unique_ptr<RowReader> make_csv_reader(ByteSource source, char separator) {
    return std::make_unique<CsvReader>(std::move(source), separator);
}

}  // namespace lab::data
