#include "base/text.h"
#include "platform/data/impl/readers.h"

namespace lab::data {
namespace {

/// Finds the elements of the one array, and the members beside it, by brackets and quotes alone and
/// leaves their meaning to the parser, so that no more than one of them is ever in memory.
class JsonArrayReader final : public RowReader {
  public:
    explicit JsonArrayReader(ByteSource source) : source_(std::move(source)) {}

    Result<bool> next(DataRow& row) override {
        if (broken_) {
            return false;
        }
        if (!started_) {
            LAB_CHECK(find_array());
        }
        if (ended_) {
            return false;
        }
        LAB_TRY(const bool found, next_element());
        if (!found) {
            return false;
        }
        row.line = element_line_;
        LAB_TRY(row.value, parse_row(element_, element_line_, false));
        return true;
    }
    bool broken() const override { return broken_; }

  private:
    Error fail(const std::string& message) {
        broken_ = true;
        return at_line(line_, message);
    }

    /// The next byte, which stays, or -1 at the end.
    Result<int> peek() {
        if (piece_.empty()) {
            auto more = source_.read();
            if (!more) {
                broken_ = true;
                return more.error();
            }
            piece_ = *more;
            if (piece_.empty()) {
                return -1;
            }
        }
        return static_cast<unsigned char>(piece_.front());
    }
    /// The next byte, or -1 at the end.
    Result<int> take() {
        LAB_TRY(const int c, peek());
        if (c >= 0) {
            piece_.remove_prefix(1);
        }
        line_ += c == '\n' ? 1 : 0;
        return c;
    }
    Result<int> take_visible() {
        while (true) {
            LAB_TRY(const int c, take());
            if (c != ' ' && c != '\t' && c != '\r' && c != '\n') {
                return c;
            }
        }
    }

    /// Up to the `[` of the array: at the top, or of the first array member of the top object.
    /// Members of other kinds may stand before it.
    Status find_array() {
        started_ = true;
        LAB_TRY(int c, take_visible());
        if (c == '[') {
            return ok();
        }
        if (c != '{') {
            return fail("expected an array of objects, or an object with one array of objects");
        }
        in_object_ = true;
        return find_member();
    }

    /// Inside the top object: goes on to the array member, or to the end.
    Status find_member() {
        while (true) {
            LAB_TRY(int c, take_visible());
            if (c == '}') {
                return found_array_ ? finish() : fail("the object has no array of objects");
            }
            if (!first_member_) {
                if (c != ',') {
                    return fail(c < 0 ? "the file ends inside the object" : "expected a comma");
                }
                LAB_TRY(c, take_visible());
            }
            first_member_ = false;
            if (c != '"') {
                return fail("expected a member name");
            }
            element_ = "{\"";
            LAB_CHECK(skip_string());
            LAB_TRY(c, take_visible());
            if (c != ':') {
                return fail("expected a colon behind a member name");
            }
            element_ += ':';
            LAB_TRY(c, take_visible());
            if (c == '[') {
                if (found_array_) {
                    return fail("the object has two arrays: which of them are the rows?");
                }
                found_array_ = true;
                element_ += '0';
                return check_member();
            }
            LAB_CHECK(skip_value(c));
            LAB_CHECK(check_member());
        }
    }

    /// What is left out is JSON too.
    Status check_member() {
        element_ += '}';
        if (const auto member = parse_row(element_, line_, false); !member) {
            broken_ = true;
            return member.error();
        }
        return ok();
    }

    /// Keeps what is left out for check_member().
    Status keep(int c) {
        element_ += static_cast<char>(c);
        return element_.size() <= kRowBytesMax
                   ? ok()
                   : fail("a member beside the rows is longer than 16 MiB, the limit of a row");
    }

    /// Behind its opening quote.
    Status skip_string() {
        while (true) {
            LAB_TRY(int c, take());
            if (c < 0) {
                return fail("the file ends inside a text");
            }
            LAB_CHECK(keep(c));
            if (c == '"') {
                return ok();
            }
            if (c == '\\') {
                LAB_TRY(c, take());
                LAB_CHECK(keep(c));
            }
        }
    }

    Status skip_value(int first) {
        LAB_CHECK(keep(first));
        if (first == '"') {
            return skip_string();
        }
        int depth = first == '{' ? 1 : 0;
        while (true) {
            LAB_TRY(const int following, peek());
            if (depth == 0 && (following == ',' || following == '}')) {
                return ok();
            }
            LAB_TRY(const int c, take());
            if (c < 0) {
                return fail("the file ends inside a value");
            }
            LAB_CHECK(keep(c));
            if (c == '"') {
                LAB_CHECK(skip_string());
            }
            depth += c == '{' || c == '[' ? 1 : 0;
            depth -= c == '}' || c == ']' ? 1 : 0;
            if (depth == 0 && first == '{') {
                return ok();
            }
        }
    }

    /// Behind the end of the data nothing but blanks may stand.
    Status finish() {
        LAB_TRY(const int c, take_visible());
        if (c >= 0) {
            return fail("something stands behind the end of the data");
        }
        ended_ = true;
        return ok();
    }

    Result<bool> end_of_array() {
        if (in_object_) {
            LAB_CHECK(find_member());
        } else {
            LAB_CHECK(finish());
        }
        return false;
    }

    Result<bool> next_element() {
        LAB_TRY(int c, take_visible());
        if (c == ']' && first_) {
            return end_of_array();
        }
        if (!first_) {
            if (c == ']') {
                return end_of_array();
            }
            if (c != ',') {
                return fail(c < 0 ? "the file ends inside the array" : "expected a comma");
            }
            LAB_TRY(c, take_visible());
            if (c == ']') {
                return fail("a comma stands before the end of the array");
            }
        }
        first_ = false;
        element_line_ = line_;
        element_.clear();
        return read_element(c);
    }

    Result<bool> read_element(int c) {
        int depth = 0;
        bool in_text = false;
        while (true) {
            if (c < 0) {
                return fail("the file ends inside a row");
            }
            element_ += static_cast<char>(c);
            if (element_.size() > kRowBytesMax) {
                broken_ = true;
                return at_line(element_line_, "longer than 16 MiB, the limit of a row");
            }
            if (in_text) {
                if (c == '\\') {
                    LAB_TRY(c, take());
                    element_ += static_cast<char>(c);
                } else {
                    in_text = c != '"';
                }
            } else if (c == '"') {
                in_text = true;
            } else if (c == '{' || c == '[') {
                ++depth;
            } else if (c == '}' || c == ']') {
                --depth;
            }
            if (depth < 0) {
                return true;
            }
            if (depth == 0 && !in_text) {
                LAB_TRY(const bool ends, ends_value());
                if (ends) {
                    return true;
                }
            }
            LAB_TRY(c, take());
        }
    }

    /// Whether the value before the next byte is complete: its bracket or quote just closed, or a
    /// comma, bracket or blank follows.
    Result<bool> ends_value() {
        if (element_.back() == '}' || element_.back() == ']' || element_.back() == '"') {
            return true;
        }
        LAB_TRY(const int c, peek());
        return c < 0 ||
               std::string_view(",] \t\r\n}").find(static_cast<char>(c)) != std::string_view::npos;
    }

    ByteSource source_;
    std::string_view piece_;
    std::string element_;
    std::int64_t element_line_ = 0;
    std::int64_t line_ = 1;
    bool started_ = false;
    bool in_object_ = false;
    bool found_array_ = false;
    bool first_ = true;  ///< of the rows
    bool first_member_ = true;
    bool ended_ = false;
    bool broken_ = false;
};

}  // namespace

std::unique_ptr<RowReader> make_json_reader(ByteSource source) {
    return std::make_unique<JsonArrayReader>(std::move(source));
}

}  // namespace lab::data
