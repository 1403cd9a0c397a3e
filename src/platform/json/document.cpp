#include "platform/json/document.h"

#include "base/text.h"
#include "platform/json/impl/locate_json.h"

#include <nlohmann/json.hpp>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <ranges>
#include <sstream>
#include <vector>

namespace lab {
namespace {

/// More values than any document of ours has: aliases can multiply a small text without bounds.
constexpr std::size_t kNodesMax = 100'000;

std::string at(Mark mark, std::string_view message) {
    return std::to_string(mark.line) + ":" + std::to_string(mark.column) + ": " +
           std::string(message);
}

/// Turns positions of the YAML parser (lines and columns from 0, columns in bytes) into ours, with
/// columns in code points as editors count them.
class Lines {
  public:
    explicit Lines(std::string_view text) : text_(text) {
        starts_.push_back(0);
        for (std::size_t i = text.find('\n'); i != std::string_view::npos;
             i = text.find('\n', i + 1)) {
            starts_.push_back(i + 1);
        }
    }
    std::size_t offset(const YAML::Mark& mark) const {
        if (mark.line < 0 || static_cast<std::size_t>(mark.line) >= starts_.size()) {
            return text_.size();
        }
        const std::size_t start = starts_[static_cast<std::size_t>(mark.line)];
        return std::min(text_.size(), start + static_cast<std::size_t>(std::max(mark.column, 0)));
    }
    Mark mark(std::size_t offset) {
        const auto line = std::ranges::upper_bound(starts_, offset) - starts_.begin();
        const std::size_t start = starts_[static_cast<std::size_t>(line - 1)];
        // Marks come mostly in order: counting on keeps a document of one long line linear.
        if (last_offset_ < start || last_offset_ > offset) {
            last_offset_ = start;
            last_column_ = 0;
        }
        for (; last_offset_ < offset; ++last_offset_) {
            last_column_ += (static_cast<unsigned char>(text_[last_offset_]) & 0xc0) != 0x80;
        }
        return {static_cast<int>(line), last_column_ + 1};
    }
    std::string_view from(std::size_t offset) const { return text_.substr(offset); }
    std::size_t line_start(std::size_t offset) const {
        return *(std::ranges::upper_bound(starts_, offset) - 1);
    }

  private:
    std::string_view text_;
    std::vector<std::size_t> starts_;
    std::size_t last_offset_ = 0;
    int last_column_ = 0;
};

/// A number of the core schema, or nullopt for text. `problem` says why one cannot be kept.
std::optional<Json> core_number(const std::string& text, std::string& problem) {
    const bool negative = text.starts_with('-');
    const std::string_view body =
        std::string_view(text).substr(negative || text.starts_with('+') ? 1 : 0);
    const auto only = [](std::string_view s, std::string_view allowed) {
        return !s.empty() && s.find_first_not_of(allowed) == std::string_view::npos;
    };
    constexpr std::string_view kDigits = "0123456789";
    const bool octal = text.starts_with("0o") && only(body.substr(2), "01234567");
    const bool hex = text.starts_with("0x") && only(body.substr(2), "0123456789abcdefABCDEF");
    if (octal || hex || only(body, kDigits)) {
        std::uint64_t value = 0;
        const std::string_view digits = octal || hex ? body.substr(2) : body;
        const int base = octal ? 8 : hex ? 16 : 10;
        const auto parsed =
            std::from_chars(digits.data(), digits.data() + digits.size(), value, base);
        constexpr std::uint64_t kMostNegative = std::uint64_t{1} << 63;
        if (parsed.ec != std::errc() || (negative && value > kMostNegative)) {
            problem = "the integer has more than 64 bits: write it in quotes to keep it as text";
            return Json();
        }
        if (negative) {
            return Json(static_cast<std::int64_t>(0 - value));
        }
        return Json(value);
    }
    const std::size_t exponent = body.find_first_of("eE");
    const std::string_view mantissa = body.substr(0, exponent);
    const std::size_t dot = mantissa.find('.');
    const std::string_view fraction = dot == std::string_view::npos ? "" : mantissa.substr(dot + 1);
    const std::string_view whole = mantissa.substr(0, dot);
    const bool shape = (whole.empty() || only(whole, kDigits)) &&
                       (fraction.empty() || only(fraction, kDigits)) &&
                       !(whole.empty() && fraction.empty());
    if (exponent != std::string_view::npos) {
        std::string_view digits = body.substr(exponent + 1);
        digits.remove_prefix(digits.starts_with('-') || digits.starts_with('+') ? 1 : 0);
        if (!only(digits, kDigits)) {
            return std::nullopt;
        }
    }
    if (!shape) {
        if (body == ".inf" || body == ".Inf" || body == ".INF" || text == ".nan" ||
            text == ".NaN" || text == ".NAN") {
            problem = "infinity and NaN are not accepted";
            return Json();
        }
        return std::nullopt;
    }
    double value = 0;
    const auto parsed = std::from_chars(body.data(), body.data() + body.size(), value);
    if (parsed.ec != std::errc()) {
        problem = "the number is out of range";
        return Json();
    }
    return Json(negative ? -value : value);
}

/// Builds the value while it enforces what the YAML parser does not: no repeated keys, no merge
/// keys, no tags, bounded aliases. After the first problem it ignores everything.
class Builder final : public YAML::EventHandler {
  public:
    Builder(std::string_view text, const JsonLimits& limits) : lines_(text), limits_(limits) {}

    void OnDocumentStart(const YAML::Mark& mark) override {
        if (++documents_ == 1) {
            return;
        }
        std::size_t offset = lines_.offset(mark);
        if (lines_.from(lines_.line_start(offset)).starts_with("---")) {
            fail(lines_.line_start(offset), "a second document: a file holds one");
        } else {
            fail(offset, "unexpected text after the end of the document");
        }
    }
    void OnDocumentEnd() override {}

    void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
        if (error_) {
            return;
        }
        std::size_t offset = lines_.offset(mark);
        if (wants_key()) {
            fail(offset, "a key must be text: write it in quotes");
            return;
        }
        // An empty value is reported where the next token stands: point at its key instead.
        const std::string_view text = lines_.from(offset);
        const bool written = text.starts_with('~') || to_lower(text.substr(0, 4)) == "null";
        if (!written && !frames_.empty() && frames_.back().value.is_object()) {
            offset = frames_.back().key_offset;
        }
        if (count(1, offset)) {
            add(Json(), offset, anchor, 0);
        }
    }

    void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
        if (error_) {
            return;
        }
        const std::size_t offset = lines_.offset(mark);
        if (wants_key()) {
            fail(offset, "a key must be text, not an alias");
            return;
        }
        const auto found = anchors_.find(anchor);
        if (found == anchors_.end()) {
            fail(offset, "the alias is inside the value it names");
            return;
        }
        const Anchored& target = found->second;
        if (frames_.size() + static_cast<std::size_t>(target.depth) >
            static_cast<std::size_t>(limits_.depth_max)) {
            fail(offset, "nested too deeply", Code::payload_too_large);
            return;
        }
        // Counted before it is copied: that is what stops "a billion laughs".
        if (count(target.nodes, offset)) {
            add(target.value, offset, 0, target.depth);
        }
    }

    void OnScalar(
        const YAML::Mark& mark,
        const std::string& tag,
        YAML::anchor_t anchor,
        const std::string& value
    ) override {
        if (error_) {
            return;
        }
        const std::size_t offset = lines_.offset(mark);
        if (!check_tag(tag, offset) || !check_quotes(tag, offset)) {
            return;
        }
        if (wants_key()) {
            add_key(value, tag != "!", offset);
            return;
        }
        if (!count(1, offset)) {
            return;
        }
        if (tag == "!") {
            add(Json(value), offset, anchor, 0);
            return;
        }
        std::string problem;
        Json converted = plain(value, problem);
        if (!problem.empty()) {
            fail(offset, problem);
            return;
        }
        add(std::move(converted), offset, anchor, 0);
    }

    void OnSequenceStart(
        const YAML::Mark& mark,
        const std::string& tag,
        YAML::anchor_t anchor,
        YAML::EmitterStyle::value
    ) override {
        open(Json::array(), mark, tag, anchor);
    }
    void OnSequenceEnd() override {
        brackets_.pop_back();
        close();
    }
    void OnMapStart(
        const YAML::Mark& mark,
        const std::string& tag,
        YAML::anchor_t anchor,
        YAML::EmitterStyle::value
    ) override {
        open(Json::object(), mark, tag, anchor);
    }
    void OnMapEnd() override {
        brackets_.pop_back();
        close();
    }

    /// What to say when the parser gave up.
    Error syntax_error(const YAML::Mark& mark, std::string_view message);
    bool empty() const { return documents_ == 0; }
    const std::optional<Error>& error() const { return error_; }
    Document take() { return {std::move(root_), std::move(map_)}; }

  private:
    struct Frame {
        Json value;
        std::string path;
        std::size_t offset = 0;
        YAML::anchor_t anchor = 0;
        std::size_t nodes_before = 0;
        int depth = 0;  ///< levels of containers inside
        std::optional<std::string> key;
        std::size_t key_offset = 0;
    };
    struct Anchored {
        Json value;
        std::size_t nodes = 0;
        int depth = 0;
    };

    static Json plain(const std::string& text, std::string& problem) {
        if (text == "true" || text == "True" || text == "TRUE") {
            return true;
        }
        if (text == "false" || text == "False" || text == "FALSE") {
            return false;
        }
        if (auto number = core_number(text, problem)) {
            return *std::move(number);
        }
        return text;
    }
    bool wants_key() const {
        return !frames_.empty() && frames_.back().value.is_object() && !frames_.back().key;
    }
    Error error_at(std::size_t offset, std::string_view message, Code code = Code::bad_request) {
        return {code, at(lines_.mark(offset), message)};
    }
    /// The first thing that is wrong is the one that is told.
    void fail(std::size_t offset, std::string_view message, Code code = Code::bad_request) {
        if (!error_) {
            error_ = error_at(offset, message, code);
        }
    }
    bool check_tag(const std::string& tag, std::size_t offset) {
        if (tag.empty() || tag == "?" || tag == "!") {
            return true;
        }
        fail(offset, "tags are not accepted: write text in quotes and everything else plain");
        return false;
    }
    /// yaml-cpp takes a quoted text that the end of the file cuts off for a complete one.
    bool check_quotes(const std::string& tag, std::size_t offset) {
        const std::string_view text = lines_.from(offset);
        if (tag != "!" || text.empty() || (text[0] != '"' && text[0] != '\'')) {
            return true;
        }
        for (std::size_t i = 1; i < text.size(); ++i) {
            const bool doubled = text[0] == '\'' && text.substr(i, 2) == "''";
            if (doubled || (text[0] == '"' && text[i] == '\\')) {
                ++i;
            } else if (text[i] == text[0]) {
                return true;
            }
        }
        fail(offset, "the quoted text that starts here is never closed");
        return false;
    }
    bool count(std::size_t nodes, std::size_t offset) {
        nodes_ += nodes;
        if (nodes_ > kNodesMax) {
            fail(
                offset,
                "more than 100000 values, aliases included: the text is too large",
                Code::payload_too_large
            );
            return false;
        }
        return true;
    }
    void add_key(const std::string& name, bool is_plain, std::size_t offset) {
        Frame& frame = frames_.back();
        if (is_plain && name == "<<") {
            fail(offset, "merge keys (<<) are not accepted: write the members out");
        } else if (frame.value.contains(name)) {
            const Mark first = map_.locate_key(path_member(frame.path, name));
            fail(
                offset,
                "the key \"" + shorten(name, 60) + "\" is repeated, it stands in line " +
                    std::to_string(first.line) + " already"
            );
        } else if (frame.value.size() >= limits_.keys_max) {
            fail(offset, "a mapping has too many members", Code::payload_too_large);
        } else {
            frame.key = name;
            frame.key_offset = offset;
        }
    }
    std::string path_of_next() const {
        if (frames_.empty()) {
            return "";
        }
        const Frame& frame = frames_.back();
        return frame.key ? path_member(frame.path, *frame.key)
                         : path_index(frame.path, frame.value.size());
    }
    void open(Json value, const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor) {
        const std::size_t offset = lines_.offset(mark);
        brackets_.push_back(offset);
        if (error_) {
            return;
        }
        if (!check_tag(tag, offset) || !count(1, offset)) {
            return;
        }
        if (wants_key()) {
            fail(offset, "a key must be text, not a list or a mapping");
            return;
        }
        if (frames_.size() >= static_cast<std::size_t>(limits_.depth_max)) {
            fail(offset, "nested too deeply", Code::payload_too_large);
            return;
        }
        Frame frame;
        frame.value = std::move(value);
        frame.path = path_of_next();
        frame.offset = offset;
        frame.anchor = anchor;
        frame.nodes_before = nodes_ - 1;
        frames_.push_back(std::move(frame));
    }
    void close() {
        if (error_) {
            return;
        }
        Frame done = std::move(frames_.back());
        frames_.pop_back();
        add(std::move(done.value),
            done.offset,
            done.anchor,
            done.depth + 1,
            nodes_ - done.nodes_before);
    }
    /// `depth`: levels of containers in the value, 0 for a scalar.
    void add(
        Json value, std::size_t offset, YAML::anchor_t anchor, int depth, std::size_t nodes = 1
    ) {
        if (anchor != 0) {
            anchors_[anchor] = {value, nodes, depth};
        }
        const Mark mark = lines_.mark(offset);
        std::string path = path_of_next();
        if (frames_.empty()) {
            root_ = std::move(value);
            map_.set(std::move(path), mark, mark);
            return;
        }
        Frame& frame = frames_.back();
        frame.depth = std::max(frame.depth, depth);
        if (frame.key) {
            map_.set(std::move(path), lines_.mark(frame.key_offset), mark);
            frame.value.emplace(*std::move(frame.key), std::move(value));
            frame.key.reset();
        } else {
            map_.set(std::move(path), mark, mark);
            frame.value.push_back(std::move(value));
        }
    }

    Lines lines_;
    const JsonLimits& limits_;
    std::vector<Frame> frames_;
    std::vector<std::size_t> brackets_;  ///< where open containers start, kept after errors too
    std::map<YAML::anchor_t, Anchored> anchors_;
    Json root_;
    SourceMap map_;
    std::size_t nodes_ = 0;
    int documents_ = 0;
    std::optional<Error> error_;
};

/// The parser's words for its commonest complaints say little to people.
std::string_view in_plain_words(std::string_view message) {
    static constexpr std::pair<std::string_view, std::string_view> kWords[] = {
        {"illegal map value",
         "a \": \" is not possible here: put the value in quotes, or check the indentation"},
        {"illegal block entry", "a list cannot start here: put \"- \" on a line of its own"},
        {"end of map not found", "this does not continue the mapping: check the indentation"},
        {"end of sequence not found", "this does not continue the list: check the indentation"},
        {"unknown token", "no value can start with this character: put the value in quotes"},
        {"illegal flow end", "a closing bracket without an opening one"},
        {"illegal EOF in scalar", "the text ends inside quotes"},
        {"the referenced anchor is not defined", "an alias (*name) without its anchor (&name)"},
    };
    for (const auto& [theirs, ours] : kWords) {
        if (message == theirs) {
            return ours;
        }
    }
    return message;
}

Error Builder::syntax_error(const YAML::Mark& mark, std::string_view message) {
    const std::size_t offset = lines_.offset(mark);
    if (message == "bad file") {
        return error_at(offset, "nested too deeply", Code::payload_too_large);
    }
    if (message.find("flow not found") != std::string_view::npos) {
        // An open bracket also makes the parser see keys where there are none: it goes first.
        for (const std::size_t open : brackets_ | std::views::reverse) {
            const std::string_view text = lines_.from(open);
            if (text.starts_with('[') || text.starts_with('{')) {
                return error_at(
                    open, std::string("the \"") + text[0] + "\" that starts here is never closed"
                );
            }
        }
    }
    if (error_) {
        return *error_;
    }
    const std::size_t start = lines_.line_start(offset);
    const std::string_view line = lines_.from(start);
    const std::size_t tab = line.substr(0, line.find_first_not_of(" \t")).find('\t');
    if (tab != std::string_view::npos) {
        return error_at(start + tab, "a tab in the indentation: YAML wants spaces");
    }
    return error_at(offset, in_plain_words(message));
}

/// What the YAML parser would swallow in silence: byte 4 ends its input, invalid UTF-8 becomes
/// U+FFFD.
Status check_characters(std::string_view text) {
    Lines lines(text);
    if (const std::size_t bad = find_invalid_utf8(text); bad != std::string_view::npos) {
        return Error(Code::bad_request, at(lines.mark(bad), "invalid UTF-8"));
    }
    const auto control = std::ranges::find_if(text, [](char c) {
        const auto b = static_cast<unsigned char>(c);
        return (b < 0x20 && b != '\t' && b != '\n' && b != '\r') || b == 0x7f;
    });
    if (control != text.end()) {
        const auto offset = static_cast<std::size_t>(control - text.begin());
        return Error(Code::bad_request, at(lines.mark(offset), "a control character"));
    }
    return ok();
}

}  // namespace

Result<Document> parse_yaml(std::string_view text, const JsonLimits& limits) {
    if (text.size() > limits.bytes_max) {
        return Error(
            Code::payload_too_large,
            "the text has " + std::to_string(text.size()) + " bytes, the limit is " +
                std::to_string(limits.bytes_max)
        );
    }
    if (text.starts_with("\xef\xbb\xbf")) {
        text.remove_prefix(3);
    }
    LAB_CHECK(check_characters(text));
    const std::size_t first = text.find_first_not_of(" \t\r\n");
    if (first != std::string_view::npos && (text[first] == '{' || text[first] == '[')) {
        // What is not JSON may still be YAML in brackets.
        if (auto value = parse_json(text, limits)) {
            return Document{*std::move(value), locate_json(text)};
        }
    }
    Builder builder(text, limits);
    try {
        std::istringstream stream{std::string(text)};
        YAML::Parser parser(stream);
        while (!builder.error() && parser.HandleNextDocument(builder)) {
        }
    } catch (const YAML::Exception& problem) {
        return builder.syntax_error(problem.mark, problem.msg);
    }
    if (const std::optional<Error>& error = builder.error()) {
        return *error;
    }
    if (builder.empty()) {
        return Error(Code::bad_request, "1:1: the text is empty");
    }
    return builder.take();
}

}  // namespace lab
