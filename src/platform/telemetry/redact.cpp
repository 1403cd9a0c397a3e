#include "platform/telemetry/redact.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>

// One pass from left to right; every look ahead is either consumed or bounded by a constant, and
// what a look ahead found is remembered where it is not (UrlRegion). So hostile text costs what
// other text costs. Not RE2: the alternatives overlap, and a value's end depends on what stands
// before it.

namespace lab {
namespace {

constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }
constexpr bool is_alpha(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
constexpr bool is_alnum(char c) { return is_alpha(c) || is_digit(c); }
constexpr bool is_run(char c) { return is_alnum(c) || c == '_' || c == '-' || c == '.'; }
constexpr bool is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v';
}
constexpr bool is_quote(char c) { return c == '"' || c == '\'' || c == '`'; }
constexpr bool is_foreign(char c) { return static_cast<unsigned char>(c) >= 0x80; }
constexpr char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

bool equals_fold(std::string_view a, std::string_view b) {
    return std::ranges::equal(a, b, [](char x, char y) { return lower(x) == lower(y); });
}

/// Keys that give themselves away. `letters_only`: what follows is letters and digits alone, which
/// tells a key from a name that begins alike.
struct KeyShape {
    std::string_view prefix;
    std::size_t rest_min;
    bool letters_only;
};
constexpr std::array kKeyShapes{
    KeyShape{"llm-research_", 9, true},  // 8 letters are public
    KeyShape{"sk-", 8, false},           // OpenAI, Anthropic, DeepSeek, OpenRouter
    KeyShape{"sk_live_", 8, false},     KeyShape{"sk_test_", 8, false},
    KeyShape{"csk-", 16, false},        KeyShape{"AIza", 20, false},  // Google
    KeyShape{"ya29.", 16, false},       KeyShape{"hf_", 16, true},
    KeyShape{"gsk_", 16, true},         KeyShape{"xai-", 16, true},
    KeyShape{"nvapi-", 16, false},      KeyShape{"pplx-", 16, true},
    KeyShape{"AKIA", 12, true},  // Amazon
    KeyShape{"ASIA", 12, true},         KeyShape{"ghp_", 16, true},
    KeyShape{"gho_", 16, true},         KeyShape{"ghs_", 16, true},
    KeyShape{"github_pat_", 16, false}, KeyShape{"glpat-", 8, false},
    KeyShape{"xoxb-", 8, false},        KeyShape{"xoxp-", 8, false},
    KeyShape{"whsec_", 8, false},
};

constexpr std::array<bool, 256> kStartsKey = [] {
    std::array<bool, 256> starts{};
    for (const KeyShape& shape : kKeyShapes) {
        starts[static_cast<unsigned char>(shape.prefix[0])] = true;
    }
    return starts;
}();

/// Where in a run a key begins, or npos.
std::size_t find_key(std::string_view run) {
    for (std::size_t i = 0; i < run.size(); ++i) {
        if (!kStartsKey[static_cast<unsigned char>(run[i])] || (i > 0 && is_alnum(run[i - 1]))) {
            continue;
        }
        const std::string_view here = run.substr(i);
        for (const KeyShape& shape : kKeyShapes) {
            if (here[0] != shape.prefix[0] || !here.starts_with(shape.prefix)) {
                continue;
            }
            const std::string_view rest = here.substr(shape.prefix.size());
            const auto end =
                shape.letters_only ? std::ranges::find_if_not(rest, is_alnum) : rest.end();
            if (end - rest.begin() >= static_cast<std::ptrdiff_t>(shape.rest_min)) {
                return i;
            }
        }
    }
    return run.npos;
}

/// Where in a run something begins that looks like a JSON Web Token, or npos.
std::size_t find_token(std::string_view run) {
    constexpr std::size_t kBytesMin = 20;
    if (run.size() < kBytesMin) {
        return run.npos;
    }
    const std::size_t at = run.find("eyJ");  // {"
    const bool is_token =
        at != run.npos && run.size() - at >= kBytesMin && run.find('.', at) != run.npos;
    return is_token ? at : run.npos;
}

/// Whether base64 text holds a colon: the shape of `Basic` credentials. "basic statistics" is none.
bool decodes_to_colon(std::string_view text) {
    unsigned pending = 0;
    int bits = 0;
    for (const char c : text) {
        const int value = c >= 'A' && c <= 'Z'   ? c - 'A'
                          : c >= 'a' && c <= 'z' ? c - 'a' + 26
                          : is_digit(c)          ? c - '0' + 52
                          : c == '+' || c == '-' ? 62
                          : c == '/' || c == '_' ? 63
                                                 : -1;
        if (value < 0) {
            return false;
        }
        pending = (pending << 6 | static_cast<unsigned>(value)) & 0xffff;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            if ((pending >> bits & 255) == ':') {
                return true;
            }
        }
    }
    return false;
}

class Redactor {
  public:
    Redactor(std::string& out, std::string_view text)
        : out_(out), text_(text), floor_(out.size()) {}

    void run() {
        while (at_ < text_.size()) {
            const char c = text_[at_];
            if (is_run(c)) {
                take_run();
            } else if (c == '@' || (c == '%' && text_.substr(at_).starts_with("%40"))) {
                take_at_sign(c == '@' ? 1 : 3);
            } else if (c == ':' && text_.substr(at_).starts_with("://")) {
                take_url();
            } else {
                out_ += c;
                ++at_;
            }
        }
    }

  private:
    void hide() {
        out_ += kRedacted;
        floor_ = out_.size();
    }
    char peek(std::size_t at) const { return at < text_.size() ? text_[at] : '\0'; }
    std::size_t skip_blanks(std::size_t at) const {
        const std::size_t end = std::min(text_.size(), at + 8);
        while (at < end && (text_[at] == ' ' || text_[at] == '\t')) {
            ++at;
        }
        return at;
    }
    template <class Stop>
    std::size_t find_from(std::size_t at, Stop stop) const {
        const auto found =
            std::find_if(text_.begin() + static_cast<std::ptrdiff_t>(at), text_.end(), stop);
        return static_cast<std::size_t>(found - text_.begin());
    }

    /// A stretch of letters, digits, '_', '-' and '.': a word, a name, a key.
    void take_run() {
        const std::size_t begin = at_;
        const std::size_t end = find_from(begin, [](char c) { return !is_run(c); });
        const std::string_view word = text_.substr(begin, end - begin);
        at_ = end;
        if (word.starts_with("-----BEGIN") && hide_private_key(end)) {
            return;
        }
        const std::size_t shown = std::min(find_key(word), find_token(word));
        if (shown != word.npos) {
            out_ += word.substr(0, shown);
            hide();
            return;
        }
        out_ += word;
        if (hide_credential(word) || hide_named(begin, word)) {
            return;
        }
    }

    bool hide_private_key(std::size_t behind) {
        constexpr std::string_view kEnd = "-----END";
        const std::size_t label = text_.substr(behind, 40).find("PRIVATE KEY-----");
        if (label == text_.npos) {
            return false;
        }
        const std::size_t end = text_.find(kEnd, behind + label);
        at_ = end == text_.npos ? text_.size() : end + kEnd.size();
        hide();
        return true;
    }

    /// `Bearer x`, `ApiKey x`, `Basic x`: the scheme stays, what follows goes.
    bool hide_credential(std::string_view word) {
        const bool open = equals_fold(word, "bearer") || equals_fold(word, "apikey");
        const bool basic = !open && equals_fold(word, "basic");
        if ((!open && !basic) || !is_blank(peek(at_))) {
            return false;
        }
        const std::size_t begin = skip_blanks(at_);
        const std::size_t end =
            find_from(begin, [](char c) { return !is_run(c) && c != '+' && c != '/' && c != '~'; });
        if (end == begin || (basic && !decodes_to_colon(text_.substr(begin, end - begin)))) {
            return false;
        }
        out_ += text_.substr(at_, begin - at_);
        at_ = find_from(end, [](char c) { return c != '='; });
        hide();
        return true;
    }

    /// A name that hides what follows it, in any of the ways in which names have values.
    bool hide_named(std::size_t begin, std::string_view word) {
        const std::size_t value = find_value(begin, word);
        if (value == text_.npos) {
            return false;
        }
        const Secrecy secrecy = secrecy_of(word);
        if (secrecy == Secrecy::open || is_harmless(value, secrecy)) {
            return false;
        }
        out_ += text_.substr(at_, value - at_);
        at_ = value;
        skip_value(word);
        hide();
        return true;
    }

    /// Where the value of the name at `begin` starts, behind the separator; npos when the word is
    /// no name of anything.
    std::size_t find_value(std::size_t begin, std::string_view word) const {
        std::size_t at = at_;
        if (peek(at) == '>' && begin > 0 && text_[begin - 1] == '<') {
            return at + 1;
        }
        if (word.starts_with("--") && is_blank(peek(at))) {
            return skip_blanks(at);
        }
        // A quoted name may end in \" when it is JSON within JSON.
        const std::size_t quotes = std::min(text_.size(), at + 4);
        while (at < quotes && (text_[at] == '\\' || is_quote(text_[at]) || text_[at] == ']')) {
            ++at;
        }
        at = skip_blanks(at);
        const char third = lower(peek(at + 2));
        if (text_.substr(at).starts_with("%3") && (third == 'd' || third == 'a')) {
            return at + 3;  // percent-encoded '=' or ':'
        }
        if (peek(at) != ':' && peek(at) != '=') {
            return text_.npos;
        }
        if (peek(at) == ':' && (peek(at + 1) == ':' || peek(at + 1) == '/')) {
            return text_.npos;  // a name of C++ or Rust, or a URL
        }
        at += peek(at + 1) == '>' || peek(at + 1) == '=' ? 2 : 1;
        at = skip_blanks(at);
        return at < text_.size() ? at : text_.npos;
    }

    /// true, false, null, and numbers where numbers are counts.
    bool is_harmless(std::size_t value, Secrecy secrecy) const {
        const std::string_view word = text_.substr(value, find_end_of_word(value) - value);
        if (word == "true" || word == "false" || word == "null") {
            return true;
        }
        return secrecy == Secrecy::numbers && !word.empty() &&
               std::ranges::all_of(word, [](char c) {
                   return is_digit(c) || c == '.' || c == '-';
               });
    }
    std::size_t find_end_of_word(std::size_t at) const {
        const std::size_t bound = std::min(text_.size(), at + 24);
        while (at < bound && is_run(text_[at])) {
            ++at;
        }
        return at;
    }

    /// Moves at_ behind the value that begins there.
    void skip_value(std::string_view name) {
        if (peek(at_) == '[' || peek(at_) == '{') {
            skip_brackets();
            return;
        }
        std::size_t slashes = 0;
        while (slashes < 4 && peek(at_ + slashes) == '\\') {
            ++slashes;
        }
        if (is_quote(peek(at_ + slashes))) {
            skip_quoted(slashes);
            return;
        }
        // The whole line of a header: its value has blanks.
        const std::string_view last = name.substr(name.rfind('.') + 1);
        if (equals_fold(last, "authorization") || equals_fold(last, "proxy-authorization") ||
            equals_fold(last, "cookie") || equals_fold(last, "set-cookie")) {
            at_ = find_from(at_, [](char c) { return c == '\n' || c == '\r'; });
            return;
        }
        skip_word();
    }

    /// Up to the next blank, and once more when that was only the name of a scheme.
    void skip_word() {
        const bool in_tags = at_ > 0 && text_[at_ - 1] == '>';
        const auto blank = [&](char c) { return is_blank(c) || (in_tags && c == '<'); };
        const std::size_t end = find_from(at_, blank);
        const std::string_view word = text_.substr(at_, end - at_);
        at_ = end;
        constexpr std::array<std::string_view, 6> kSchemes{
            "bearer", "basic", "apikey", "token", "digest", "negotiate"
        };
        if (std::ranges::any_of(kSchemes, [&](auto s) { return equals_fold(s, word); })) {
            at_ = find_from(skip_blanks(end), blank);
        }
    }

    /// at_ stands at `slashes` backslashes and a quote. A quote behind more backslashes than that
    /// belongs to the value.
    void skip_quoted(std::size_t slashes) {
        const char quote = text_[at_ + slashes];
        std::size_t run = 0;
        for (at_ += slashes + 1; at_ < text_.size(); ++at_) {
            const char c = text_[at_];
            if (c == '\\') {
                ++run;
                continue;
            }
            if (c == quote && (slashes > 0 ? run <= slashes : run % 2 == 0)) {
                ++at_;
                return;
            }
            run = 0;
        }
    }

    void skip_brackets() {
        std::size_t depth = 0;
        for (; at_ < text_.size(); ++at_) {
            const char c = text_[at_];
            if (c == '[' || c == '{') {
                ++depth;
            } else if ((c == ']' || c == '}') && --depth == 0) {
                ++at_;
                return;
            }
        }
    }

    /// An e-mail address, when there is a name before the sign and a domain behind it.
    void take_at_sign(std::size_t sign_bytes) {
        const auto in_name = [](char c) {
            return is_run(c) || is_foreign(c) || c == '+' || c == '%' || c == '\'' || c == '=';
        };
        std::size_t begin = out_.size();
        while (begin > floor_ && in_name(out_[begin - 1])) {
            --begin;
        }
        std::size_t end =
            find_from(at_ + sign_bytes, [](char c) { return !is_run(c) && !is_foreign(c); });
        while (end > at_ + sign_bytes && !is_alnum(text_[end - 1]) && !is_foreign(text_[end - 1])) {
            --end;
        }
        const std::string_view domain = text_.substr(at_ + sign_bytes, end - at_ - sign_bytes);
        const std::size_t dot = domain.rfind('.');
        const bool is_domain = dot != domain.npos && dot > 0 && domain.size() - dot > 2 &&
                               std::ranges::all_of(domain.substr(dot + 1), [](char c) {
                                   return is_alpha(c) || is_foreign(c);
                               });
        if (begin < out_.size() && is_domain) {
            out_.resize(begin);
            hide();
            at_ = end;
            return;
        }
        out_ += text_.substr(at_, sign_bytes);
        at_ += sign_bytes;
        floor_ = out_.size();  // so that "a@a@a@..." is not walked back over again and again
    }

    /// at_ stands at "://". What stands before the last '@' goes: passwords in the wild contain
    /// slashes and signs that they should not.
    void take_url() {
        constexpr std::string_view kSeparator = "://";
        const std::size_t begin = at_ + kSeparator.size();
        if (begin > url_.end) {
            url_.end = find_from(begin, [](char c) {
                return is_blank(c) || c == '"' || c == '<' || c == '>';
            });
            const std::size_t sign = text_.substr(begin, url_.end - begin).rfind('@');
            url_.last_at = sign == text_.npos ? sign : begin + sign;
        }
        out_ += kSeparator;
        at_ = begin;
        if (url_.last_at == text_.npos || url_.last_at <= begin || !has_userinfo(begin)) {
            return;
        }
        at_ = url_.last_at;
        hide();
        out_ += '@';
        ++at_;
        floor_ = out_.size();
    }

    /// Whether there is a user in an authority that ends at the first slash, or would there be one
    /// if slashes were allowed in passwords.
    bool has_userinfo(std::size_t begin) const {
        const std::string_view region = text_.substr(begin, url_.end - begin);
        const std::string_view authority = region.substr(0, region.find_first_of("/?#"));
        if (authority.find('@') != authority.npos) {
            return true;
        }
        const std::size_t colon = authority.rfind(':');
        const bool has_port = colon != authority.npos && colon + 1 < authority.size() &&
                              std::ranges::all_of(authority.substr(colon + 1), is_digit);
        return colon != authority.npos && !has_port && !authority.ends_with(']');
    }

    /// The text up to the next blank behind a "://", looked at once however many "://" are in it.
    struct UrlRegion {
        std::size_t end = 0;
        std::size_t last_at = std::string_view::npos;
    };

    std::string& out_;
    std::string_view text_;
    std::size_t at_ = 0;
    std::size_t floor_;  ///< nothing of out_ before this is taken back
    UrlRegion url_;
};

/// What is_innocent() lets a text consist of.
constexpr std::uint8_t kWord = 1;     // a-z 0-9 / { }
constexpr std::uint8_t kNumber = 2;   // 0-9 a-f -
constexpr std::uint8_t kCapital = 4;  // A-Z
constexpr std::array<std::uint8_t, 256> kKinds = [] {
    std::array<std::uint8_t, 256> out{};
    const auto add = [&](std::string_view letters, int kind) {
        for (const char c : letters) {
            out[static_cast<unsigned char>(c)] |= static_cast<std::uint8_t>(kind);
        }
    };
    add("0123456789abcdef", kWord | kNumber);
    add("ghijklmnopqrstuvwxyz/{}", kWord);
    add("-", kNumber);
    add("ABCDEFGHIJKLMNOPQRSTUVWXYZ", kCapital);
    return out;
}();

}  // namespace

void append_redacted(std::string& out, std::string_view text) { Redactor(out, text).run(); }

bool is_innocent(std::string_view text) {
    // Every shape that is hidden has a letter that is in none of these: an upper-case one, or one
    // of "_-.:=@% and quotes; a key of capitals alone has sixteen.
    constexpr std::size_t kCapitalsMax = 15;
    std::uint8_t kinds = text.size() <= kCapitalsMax ? kWord | kNumber | kCapital : kWord | kNumber;
    for (const char c : text) {
        kinds &= kKinds[static_cast<unsigned char>(c)];
    }
    return kinds != 0;
}

std::string redact(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    append_redacted(out, text);
    return out;
}

}  // namespace lab
