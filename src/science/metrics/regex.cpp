#include "science/metrics/regex.h"

#include "base/text.h"

#include <re2/re2.h>

namespace lab::science {
namespace {
constexpr std::int64_t kMemoryBytesMax = 8 << 20;
constexpr std::size_t kPatternBytesMax = 10'000;
}  // namespace

Regex::Regex(std::unique_ptr<re2::RE2> expression) : expression_(std::move(expression)) {}
Regex::Regex(Regex&&) noexcept = default;
Regex& Regex::operator=(Regex&&) noexcept = default;
Regex::~Regex() = default;

Result<Regex> Regex::compile(std::string_view pattern, bool ignore_case) {
    if (pattern.size() > kPatternBytesMax) {
        return Error(Code::validation, "the pattern is longer than 10,000 bytes");
    }
    re2::RE2::Options options(re2::RE2::Quiet);
    options.set_max_mem(kMemoryBytesMax);
    options.set_case_sensitive(!ignore_case);
    auto expression =
        std::make_unique<re2::RE2>(re2::StringPiece(pattern.data(), pattern.size()), options);
    if (!expression->ok()) {
        return Error(
            Code::validation, "not a valid regular expression (RE2): " + expression->error()
        );
    }
    return Regex(std::move(expression));
}

std::string Regex::quote(std::string_view text) {
    return re2::RE2::QuoteMeta(re2::StringPiece(text.data(), text.size()));
}

int Regex::group_count() const { return expression_->NumberOfCapturingGroups(); }

std::optional<int> Regex::find_group(const std::string& name) const {
    const auto& groups = expression_->NamedCapturingGroups();
    const auto found = groups.find(name);
    return found == groups.end() ? std::nullopt : std::optional(found->second);
}

std::vector<std::string> Regex::group_names() const {
    std::vector<std::string> names;
    for (const auto& [name, number] : expression_->NamedCapturingGroups()) {
        names.push_back(name);
    }
    return names;
}

bool Regex::search(std::string_view text, Groups& groups, std::size_t from) const {
    return match(text, from, false, groups);
}

bool Regex::full_match(std::string_view text, Groups& groups) const {
    return match(text, 0, true, groups);
}

bool Regex::search_last(std::string_view text, Groups& groups) const {
    Groups current;
    std::size_t from = 0;
    bool found = false;
    while (from <= text.size() && search(text, current, from)) {
        std::swap(groups, current);
        found = true;
        const std::string_view whole = groups[0].value_or(std::string_view());
        from = static_cast<std::size_t>(whole.data() - text.data()) + whole.size();
        if (whole.empty()) {
            if (from == text.size()) {
                break;
            }
            next_code_point(text, from);
        }
    }
    return found;
}

bool Regex::match(std::string_view text, std::size_t from, bool whole, Groups& groups) const {
    const int count = group_count() + 1;
    std::vector<re2::StringPiece> pieces(static_cast<std::size_t>(count));
    const bool found = expression_->Match(
        re2::StringPiece(text.data(), text.size()),
        from,
        text.size(),
        whole ? re2::RE2::ANCHOR_BOTH : re2::RE2::UNANCHORED,
        pieces.data(),
        count
    );
    groups.assign(pieces.size(), std::nullopt);
    for (std::size_t i = 0; found && i < pieces.size(); ++i) {
        // The view of an empty text has no data, and still its whole is matched.
        if (pieces[i].data() != nullptr || i == 0) {
            groups[i] = std::string_view(pieces[i].data(), pieces[i].size());
        }
    }
    return found;
}

}  // namespace lab::science
