#include "base/time_text.h"

namespace lab {
namespace {

/// Takes a text apart from left to right; remembers whether something did not fit.
class TimeReader {
  public:
    explicit TimeReader(std::string_view text) : text_(text) {}

    int digits(int count, int min, int max) {
        int out = 0;
        for (int i = 0; i < count; ++i) {
            const char c = take();
            good_ = good_ && c >= '0' && c <= '9';
            out = out * 10 + (c - '0');
        }
        good_ = good_ && out >= min && out <= max;
        return out;
    }
    char one_of(std::string_view allowed) {
        const char c = take();
        good_ = good_ && c != '\0' && allowed.find(c) != allowed.npos;
        return c;
    }
    /// Microseconds of an optional fraction.
    std::chrono::microseconds fraction() {
        if (text_.empty() || text_.front() != '.') {
            return {};
        }
        take();
        int out = 0;
        int count = 0;
        for (; !text_.empty() && text_.front() >= '0' && text_.front() <= '9'; ++count) {
            const int digit = take() - '0';
            out = count < 6 ? out * 10 + digit : out;
        }
        good_ = good_ && count > 0;
        for (; count < 6; ++count) {
            out *= 10;
        }
        return std::chrono::microseconds(out);
    }
    bool at_end() const { return good_ && text_.empty(); }

  private:
    char take() {
        if (text_.empty()) {
            good_ = false;
            return '\0';
        }
        const char c = text_.front();
        text_.remove_prefix(1);
        return c;
    }
    std::string_view text_;
    bool good_ = true;
};

}  // namespace

std::optional<WallTime> parse_rfc3339(std::string_view text) {
    TimeReader reader(text);
    const int year = reader.digits(4, 1, 9999);
    reader.one_of("-");
    const int month = reader.digits(2, 1, 12);
    reader.one_of("-");
    const int day = reader.digits(2, 1, 31);
    reader.one_of("Tt ");
    const std::chrono::hours hour(reader.digits(2, 0, 23));
    reader.one_of(":");
    const std::chrono::minutes minute(reader.digits(2, 0, 59));
    reader.one_of(":");
    const std::chrono::seconds second(reader.digits(2, 0, 60));
    const std::chrono::microseconds fraction = reader.fraction();
    const char zone = reader.one_of("Zz+-");
    std::chrono::minutes offset{};
    if (zone == '+' || zone == '-') {
        offset = std::chrono::hours(reader.digits(2, 0, 23));
        reader.one_of(":");
        offset += std::chrono::minutes(reader.digits(2, 0, 59));
    }
    const std::chrono::year_month_day date(
        std::chrono::year(year),
        std::chrono::month(static_cast<unsigned>(month)),
        std::chrono::day(static_cast<unsigned>(day))
    );
    if (!reader.at_end() || !date.ok()) {
        return std::nullopt;
    }
    const WallTime local = std::chrono::sys_days(date) + hour + minute + second + fraction;
    return zone == '-' ? local + offset : local - offset;
}

}  // namespace lab
