#include "base/text.h"
#include "platform/data/impl/readers.h"

namespace lab::data {
namespace {

class JsonlReader final : public RowReader {
  public:
    explicit JsonlReader(ByteSource source) : source_(std::move(source)) {}

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
            const bool whole_line = text.data() == line_.data();
            LAB_TRY(row.value, parse_row(text, line_number_, whole_line));
            row.line = line_number_;
            return true;
        }
    }
    bool broken() const override { return broken_; }

  private:
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
    std::string_view piece_;
    std::string line_;
    std::int64_t line_number_ = 0;
    bool broken_ = false;
};

}  // namespace

std::unique_ptr<RowReader> make_jsonl_reader(ByteSource source) {
    return std::make_unique<JsonlReader>(std::move(source));
}

}  // namespace lab::data
