#include "api/lists.h"
#include "api/router.h"
#include "base/percent.h"
#include "base/text.h"
#include "fuzz/fuzz.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <set>

namespace {
using namespace lab;
using fuzz::require;
using Values = std::vector<std::pair<std::string, std::string>>;

const SigningKeys kKeys("a secret that nobody knows");

/// Every character of it, as some clients do.
std::string encode(std::string_view text) {
    constexpr std::string_view kDigits = "0123456789ABCDEF";
    std::string out;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        out += '%';
        out += kDigits[byte / 16];
        out += kDigits[byte % 16];
    }
    return out;
}

void check_path(std::string_view text) {
    const auto path = api::percent_decode(text, false);
    if (!path) {
        require(path.error().code == Code::bad_request, "a refusal is the caller's mistake");
        return;
    }
    require(is_utf8(*path) && path->size() <= text.size(), "a decoded path is UTF-8");
    for (const std::string& encoded : {encode(*path), percent_encode(*path)}) {
        const auto again = api::percent_decode(encoded, false);
        require(again && *again == *path, "what is encoded is decoded");
    }
}

void check_values(const Values& values) {
    std::set<std::string> names;
    std::string text;
    for (const auto& [name, value] : values) {
        require(is_utf8(name) && is_utf8(value), "a query is UTF-8");
        require(names.insert(name).second, "each name comes once");
        text += (text.empty() ? "" : "&") + encode(name) + "=" + encode(value);
    }
    require(names.size() <= 64, "names are few");
    const auto again = api::parse_query(text);
    require(again && *again == values, "what is encoded is decoded");
}

struct Asked {
    Result<api::ListQuery> query;
    Json shown;
};

constexpr std::int64_t kRows = 2'000'000;

/// A list of kRows rows, counted to the end or not, that is asked for with these values.
Asked ask(const Values& values, bool counted) {
    http::RequestHead head;
    head.path = "/models";
    api::Call call(head, {}, nullptr, Json());
    call.query_values = values;
    Asked out{api::read_list_query(call, kKeys), {}};
    if (out.query) {
        const api::ListQuery& query = *out.query;
        api::ListPage page;
        page.total = storage::RowCount{counted ? kRows : storage::kCountMax, counted};
        page.more = query.offset + query.limit < kRows;
        if (page.more) {
            page.last = storage::ResourceCursor{.sort_value = "2026", .id = "i"};
        }
        out.shown = api::list_json(call, query, std::move(page), kKeys);
    }
    return out;
}

/// The links of a page lead to pages of the same list, in the same order and of the same size.
void check_links(const Asked& asked, bool counted) {
    const api::ListQuery& query = *asked.query;
    for (const auto& [name, link] : asked.shown.at("links").items()) {
        const std::string target = link.get<std::string>();
        if (name == "self") {
            continue;
        }
        require(target.starts_with("/models?"), "a link stays in its list");
        const auto values = api::parse_query(std::string_view(target).substr(8));
        require(values.has_value(), "a link can be read");
        const Asked next = ask(*values, counted);
        require(next.query.has_value(), "a link can be followed");
        require(next.query->limit == query.limit, "pages have one size");
        require(
            next.query->sort == query.sort && next.query->descending == query.descending,
            "pages have one order"
        );
        require(next.query->fields == query.fields, "pages show the same");
        if (name == "next" && !next.query->after) {
            require(next.query->offset == query.offset + query.limit, "pages follow each other");
        }
        require(name != "first" || next.query->offset == 0, "the first page is the first");
        require(
            name != "last" || (counted && next.query->offset < kRows &&
                               next.query->offset + next.query->limit >= kRows),
            "the last page is the last"
        );
    }
}
}  // namespace

// A query decodes to what it encodes, and what lists take from it is in bounds.
FUZZ_TARGET(url_query) {
    check_path(input);
    const auto values = api::parse_query(input);
    if (!values) {
        require(values.error().code == Code::bad_request, "a refusal is the caller's mistake");
        return;
    }
    check_values(*values);
    const Asked asked = ask(*values, true);
    if (!asked.query) {
        const Code code = asked.query.error().code;
        require(
            code == Code::bad_request || code == Code::validation,
            "a refusal is the caller's mistake"
        );
        return;
    }
    const api::ListQuery& query = *asked.query;
    require(query.limit >= 1 && query.limit <= 100, "pages have a size");
    require(query.offset >= 0 && query.offset <= 1'000'000'000, "pages begin somewhere");
    require(!query.after.has_value(), "no cursor was forged");
    if (query.offset < kRows) {
        check_links(asked, true);
        check_links(ask(*values, false), false);
    }
}
