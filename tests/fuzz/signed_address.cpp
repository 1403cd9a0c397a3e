#include "service/signed_address.h"

#include "base/text.h"
#include "fuzz/fuzz.h"
#include "platform/crypto/base64url.h"

#include <nlohmann/json.hpp>

namespace {
using namespace lab;
using fuzz::require;
using service::AddressHolder;

constexpr std::string_view kKind = "dataset link";
constexpr std::string_view kOther = "dataset upload";
const SigningKeys kKeys("a secret that nobody knows");
constexpr std::int64_t kNow = 1'700'000'000;

Result<Json> read(
    std::string_view token, std::int64_t now, AddressHolder& holder, std::string_view kind = kKind
) {
    auto out =
        service::read_address(kind, token, WallTime(std::chrono::seconds(now)), kKeys, holder);
    require(out || out.error().code == Code::forbidden, "there is one refusal");
    require(out || out.error().message == service::bad_address().message, "it says no more");
    return out;
}

/// Nobody else's text is an address.
void check_foreign(std::string_view token) {
    AddressHolder holder;
    require(!read(token, kNow, holder), "an address was forged");
    // Nor with the right bytes behind a MAC of the sender's.
    const std::string text = base64url_encode(std::string(16, '\0') + std::string(token));
    require(!read(text, kNow, holder), "a MAC was guessed");
}

void check_holder(const AddressHolder& a, const AddressHolder& b) {
    require(
        a.org == b.org && a.user_id == b.user_id && a.is_admin == b.is_admin &&
            a.expires_at == b.expires_at,
        "an address is of who asked for it"
    );
}
}  // namespace

// Addresses that are their own credential. The first byte says whether the text is a token of
// somebody's (0), or what an address of ours says, the user in front of a NUL: the address serves
// until its end, as its own kind, and with no byte changed (the two bytes behind the first say
// which).
FUZZ_TARGET(signed_address) {
    std::string_view text = input;
    const unsigned choice = fuzz::take_choice(text);
    if (choice % 2 == 0) {
        check_foreign(text);
        return;
    }
    const unsigned place = fuzz::take_choice(text);
    const unsigned flip = fuzz::take_choice(text);
    AddressHolder holder;
    holder.org = static_cast<std::int64_t>(choice) * 1'000'003;
    holder.user_id = sanitize_utf8(fuzz::take_until(text, '\0'));
    holder.is_admin = (choice & 2U) != 0;
    holder.expires_at = kNow + 60;
    const auto given = parse_json(text);
    const Json parts = given && given->is_object() ? *given : Json::object();
    const std::string token = service::sign_address(kKind, holder, parts, kKeys);
    require(token.find_first_of("+/=&?# ") == std::string::npos, "it stands in a URL as it is");

    AddressHolder found;
    const auto said = read(token, kNow, found);
    if (!said) {
        require(token.size() > (16U << 10), "an address serves");
        return;
    }
    check_holder(found, holder);
    for (const auto& [name, value] : parts.items()) {
        const bool is_ours =
            name == "org" || name == "user" || name == "admin" || name == "expires";
        require(is_ours || said->at(name) == value, "an address says what it was given");
    }
    require(read(token, kNow + 59, found).has_value(), "it serves until its end");
    require(!read(token, kNow + 60, found), "and not beyond");
    require(!read(token, kNow, found, kOther), "one kind does not serve as another");

    std::string changed = token;
    const char letter = static_cast<char>('0' + flip % 64);
    char& at = changed[place * changed.size() / 256];
    require(at == letter || ((at = letter), !read(changed, kNow, found)), "a changed one is none");
    require(!read(token.substr(0, token.size() - 1), kNow, found), "nor one that was cut");
}
