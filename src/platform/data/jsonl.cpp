#include "base/text.h"
#include "platform/data/impl/readers.h"

namespace lab::data {
namespace {

/// A row a line: an object (JSONL), or the line itself as its member `text`.
class LineReader final : public RowReader {
  public:
    LineReader(ByteSource source, bool plain) : source_(std::move(source)), plain_(plain) {}

    Result<bool> next(DataRow& row) override {
        while (true) {
            LAB_TRY(const bool more, next_line());
            if (!more) {
                return false;
            }
            const std::string_view text = trim_ascii(line_);
            if (text.empty()) {
                continue;
            }
            if (plain_) {
                LAB_TRY(row.value, plain_row());
                row.line = line_number_;
                return true;
            }
            const bool whole_line = text.data() == line_.data();
            LAB_TRY(row.value, parse_row(text, line_number_, whole_line));
            row.line = line_number_;
            return true;
        }
    }
    bool broken() const override { return broken_; }

  private:
    Result<Json> plain_row() {
        if (line_.ends_with('\r')) {
            line_.pop_back();
        }
        if (const std::size_t bad = find_invalid_utf8(line_); bad != std::string_view::npos) {
            return at_line(line_number_, "invalid UTF-8 at byte " + std::to_string(bad + 1));
        }
        Json out = Json::object();
        out["text"] = line_;
        return out;
    }

    /// Puts the next line, without its LF, into line_.
    Result<bool> next_line() {
        line_.clear();
        if (broken_) {
            return false;
        }
        ++line_number_;
        while (true) {
            const std::size_t end = piece_.find('\n');
            const std::string_view part = piece_.substr(0, end);
            if (line_.size() + part.size() > kRowBytesMax) {
                broken_ = true;
                return at_line(line_number_, "longer than 16 MiB, the limit of a row");
            }
            line_ += part;
            if (end != std::string_view::npos) {
                piece_.remove_prefix(end + 1);
                return true;
            }
            auto more = source_.read();
            if (!more) {
                broken_ = true;
                return more.error();
            }
            piece_ = *more;
            if (piece_.empty()) {
                return !line_.empty();
            }
        }
    }

    ByteSource source_;
    const bool plain_;
    std::string_view piece_;
    std::string line_;
    std::int64_t line_number_ = 0;
    bool broken_ = false;
};

}  // namespace

std::unique_ptr<RowReader> make_jsonl_reader(ByteSource source) {
    return std::make_unique<LineReader>(std::move(source), false);
}

std::unique_ptr<RowReader> make_text_reader(ByteSource source) {
    return std::make_unique<LineReader>(std::move(source), true);
}

}  // namespace lab::data
