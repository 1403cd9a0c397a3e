#include "api/lists.h"
#include "api/router.h"
#include "base/text.h"
#include "fuzz/fuzz.h"
#include "platform/crypto/base64url.h"

#include <nlohmann/json.hpp>

namespace {
using namespace lab;
using fuzz::require;

const SigningKeys kKeys("a secret that nobody knows");
constexpr std::string_view kSorts[] = {
    "created_at", "-created_at", "updated_at", "-updated_at", "name", "-name"
};

/// A page of a list as somebody asks for it.
struct Asked {
    std::string path;
    std::string sort;
    std::string cursor;  ///< empty: the first page
};

Result<api::ListQuery> read(const Asked& asked, const SigningKeys& keys = kKeys) {
    http::RequestHead head;
    head.path = asked.path;
    api::Call call(head, {}, nullptr, Json());
    call.query_values = {{"sort", asked.sort}, {"limit", "7"}};
    if (!asked.cursor.empty()) {
        call.query_values.emplace_back("cursor", asked.cursor);
    }
    return api::read_list_query(call, keys);
}

/// The answer that gives out a cursor.
Json answer(const Asked& asked, const storage::ResourceCursor& last) {
    http::RequestHead head;
    head.path = asked.path;
    api::Call call(head, {}, nullptr, Json());
    call.query_values = {{"sort", asked.sort}, {"limit", "7"}};
    const auto query = api::read_list_query(call, kKeys);
    require(query.has_value(), "a list can be asked for");
    api::ListPage page;
    page.total = std::nullopt;
    page.more = true;
    page.last = last;
    return api::list_json(call, *query, std::move(page), kKeys);
}

void require_refused(const Result<api::ListQuery>& query, const char* what) {
    require(!query && query.error().code == Code::bad_request, what);
}

void check_given_out(const Asked& first, const storage::ResourceCursor& last, unsigned choice) {
    const Json shown = answer(first, last);
    Asked next = first;
    next.cursor = shown.at("pagination").at("next_cursor").get<std::string>();
    const auto query = read(next);
    require(query && query->after.has_value(), "a cursor is taken back");
    require(
        query->after->sort_value == last.sort_value && query->after->id == last.id,
        "a cursor comes back as it was given out"
    );
    require(query->style == api::ListQuery::Style::cursor, "a cursor makes a style");
    const std::string link = shown.at("links").at("next").get<std::string>();
    const auto values = api::parse_query(std::string_view(link).substr(link.find('?') + 1));
    require(
        values && values->back() == std::pair<std::string, std::string>("cursor", next.cursor),
        "the link holds the cursor"
    );
    require(read({"/v1" + next.path, next.sort, next.cursor}).has_value(), "a list has two paths");
    const std::string_view other = kSorts[(choice + 1) % std::size(kSorts)];
    require_refused(read({next.path, std::string(other), next.cursor}), "it serves one order");
    require_refused(read({"/prompts", next.sort, next.cursor}), "it serves one list");
    require_refused(read(next, SigningKeys("another")), "it is of one key");
}

void check_changed(const Asked& first, const storage::ResourceCursor& last, std::string_view text) {
    Asked next = first;
    next.cursor = answer(first, last).at("pagination").at("next_cursor").get<std::string>();
    const std::string good = next.cursor;
    for (std::size_t i = 0; i + 1 < text.size() && i < 8; i += 2) {
        const std::size_t at = static_cast<unsigned char>(text[i]) * good.size() / 256;
        next.cursor[at] = text[i + 1];
    }
    const auto query = read(next);
    require(next.cursor == good || !query, "a changed cursor was taken");
    require(next.cursor != good || query, "a good cursor is taken");
}
}  // namespace

// Cursors are the caller's to forge: what was given out is taken back for the same list and order,
// and nothing else is. The first byte chooses the order; whether the text is the place a cursor
// holds, changes of a cursor, a cursor, or the bytes of one.
FUZZ_TARGET(cursor) {
    std::string_view text = input;
    const unsigned choice = fuzz::take_choice(text);
    Asked asked{"/models", std::string(kSorts[choice % std::size(kSorts)]), ""};
    switch (choice / std::size(kSorts) % 4) {
        case 0: {
            // The store has UTF-8 alone.
            const std::string value = sanitize_utf8(fuzz::take_until(text, '\n'));
            check_given_out(asked, {.sort_value = value, .id = sanitize_utf8(text)}, choice);
            break;
        }
        case 1:
            check_changed(asked, {.sort_value = "2026-01-02T03:04:05Z", .id = "an id"}, text);
            break;
        case 2:
        default:
            asked.cursor =
                choice / std::size(kSorts) % 4 == 2 ? std::string(text) : base64url_encode(text);
            if (!asked.cursor.empty()) {
                require_refused(read(asked), "a cursor was forged");
            }
    }
}
