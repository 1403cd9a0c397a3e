#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace lab::providers {

/// Reads one JSON text from front to back without building a tree: answers of models come as
/// hundreds of small objects a call, of which three members matter.
///
/// The grammar is that of RFC 8259, checked to the end (nesting at most 64), except that bytes of
/// strings are not checked for UTF-8 (a character may be cut in two by the pieces of a stream) and
/// that repeated members are passed on as they come. After the first mistake ok() is false, every
/// call returns at once, and nothing is called back.
class JsonPull {
  public:
    enum class Kind : std::uint8_t { object, array, string, number, boolean, null, bad };

    explicit JsonPull(std::string_view text) : text_(text) {}

    /// Kind of the value that comes next.
    Kind peek();
    /// Calls on_member(key) with the cursor at the value of each member; a value that it leaves
    /// unread is skipped. Another kind of value is skipped, and false returned.
    template <class OnMember>
    bool object(OnMember on_member);
    /// Calls on_element() with the cursor at each element, as object() does.
    template <class OnElement>
    bool array(OnElement on_element);
    /// Appends the text of a string. Another kind of value is skipped, and false returned.
    bool append_string(std::string& out);
    /// The text of a string; nullopt for another kind, which is skipped. The same for the others.
    std::optional<std::string> string();
    std::optional<std::int64_t> integer();  ///< also 7.0; not 7.5, nor what 64 bits do not hold
    std::optional<double> number();
    std::optional<bool> boolean();
    /// A number as it is written; empty for another kind, which is skipped.
    std::string_view number_text();
    /// A string's text, any other scalar as it is written; nullopt for null, objects and arrays.
    std::optional<std::string> scalar_text();
    void skip() { (void)raw(); }
    /// Skips the value and returns it as it is written; empty after a mistake.
    std::string_view raw();

    bool ok() const { return ok_; }
    /// Nothing but space is left, and there was no mistake.
    bool finish();
    /// Where the mistake is, or how far the cursor has come.
    std::size_t position() const { return at_; }

  private:
    bool fail() {
        ok_ = false;
        return false;
    }
    void skip_space();
    char head() const { return at_ < text_.size() ? text_[at_] : '\0'; }
    /// Takes the next character when it is `c`, after space.
    bool take(char c);
    /// A string with its quotes; `escaped` tells whether it must be decoded.
    bool scan_string(std::string_view& inside, bool& escaped);
    bool scan_number();
    bool scan_word(std::string_view word);
    bool skip_value();
    bool skip_members(bool object);
    /// A member's name and the colon behind it. `decoded` holds the name when it had escapes.
    bool take_key(std::string_view& key, std::string& decoded);
    bool enter() { return ++depth_ <= kDepthMax || fail(); }
    /// After a value: true when another follows, false at `close` or after a mistake.
    bool more(char close);

    static constexpr int kDepthMax = 64;
    std::string_view text_;
    std::size_t at_ = 0;
    int depth_ = 0;
    bool ok_ = true;
};

/// Appends the text of what stands between the quotes of a correct JSON string. Half a surrogate
/// pair becomes U+FFFD.
void append_json_unescaped(std::string& out, std::string_view inside);

template <class OnMember>
bool JsonPull::object(OnMember on_member) {
    if (peek() != Kind::object) {
        skip();
        return false;
    }
    ++at_;
    if (!enter()) {
        return false;
    }
    if (!take('}')) {
        std::string decoded;
        do {
            std::string_view key;
            if (!take_key(key, decoded)) {
                return false;
            }
            const std::size_t before = at_;
            on_member(key);
            if (ok_ && at_ == before) {
                skip();
            }
        } while (more('}'));
    }
    --depth_;
    return ok_;
}

template <class OnElement>
bool JsonPull::array(OnElement on_element) {
    if (peek() != Kind::array) {
        skip();
        return false;
    }
    ++at_;
    if (!enter()) {
        return false;
    }
    if (!take(']')) {
        do {
            skip_space();
            const std::size_t before = at_;
            on_element();
            if (ok_ && at_ == before) {
                skip();
            }
        } while (more(']'));
    }
    --depth_;
    return ok_;
}

}  // namespace lab::providers
