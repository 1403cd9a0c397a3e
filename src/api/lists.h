#pragma once
#include "api/route.h"
#include "platform/crypto/signing_keys.h"
#include "service/nouns.h"

#include <functional>

namespace lab::api {

/// The parameters every list takes, for the table of routes.
const std::vector<QueryParameter>& list_parameters();
/// The same for a list that has one order only: without `sort`.
std::vector<QueryParameter> ordered_list_parameters();

/// A list in pages as JSON, or its rows one after the other in one answer.
enum class ListFormat : std::uint8_t { pages, ndjson, csv };

/// How a list was asked for: limit and offset, page and page_size, or a cursor; never two of them.
struct ListQuery {
    enum class Style : std::uint8_t { offset, page, cursor };
    Style style = Style::offset;
    std::int64_t limit = 20;
    std::int64_t offset = 0;
    std::optional<storage::ResourceCursor> after;
    storage::SortBy sort = storage::SortBy::created_at;
    bool descending = true;
    std::vector<std::string> fields;  ///< of `fields=a,b`: top-level members to show
    ListFormat format = ListFormat::pages;
    bool all = false;  ///< an export that goes on to the end: nobody looks at the total
};

/// Errors: bad_request for a value that is no number, a mixture of styles, a cursor that is not
/// ours; validation for one out of range. `signing` is for cursors.
Result<ListQuery> read_list_query(const Call& call, const SigningKeys& signing);

/// One page of a list and how long the whole is.
struct ListPage {
    std::vector<Json> data;
    std::optional<storage::RowCount> total = storage::RowCount{};  ///< nullopt: not counted
    bool more = false;
    /// Of the last row, where there is more.
    std::optional<storage::ResourceCursor> last;
};
/// Of a list that goes by number: what a cursor holds. Errors: bad_request (of another list).
Result<std::optional<std::int64_t>> number_after(const ListQuery& query);
storage::ResourceCursor cursor_at(std::int64_t number);
storage::ResourcePage page_of(const ListQuery& query);
ListPage page_shown(service::NounList found);

/// Fetches the page that was asked for. Called again, with other requests, while an export runs.
using PageSource = std::function<Result<ListPage>(const Call&, const ListQuery&)>;

/// What a list is made of.
struct ListFace {
    std::string_view resource;  ///< what is exported, for the name of the file
    PageSource source;
    std::vector<std::string> csv_columns = {};  ///< of the export as CSV; empty: there is none
    /// What the audit log says was exported from, where it is not `resource`.
    std::string_view exported_from = {};
    bool format_is_filter = false;  ///< `format` names something else, unless ndjson
    /// A page is an array, as the contract has it for this list; what others say in members is in
    /// headers: X-Total-Count, X-Next-Cursor, and Link (RFC 8288) with first, prev, next and last.
    /// Without limit and page it is kArrayRowsMax long.
    bool is_array = false;
};
constexpr std::int64_t kArrayRowsMax = 1000;
/// The answer to a list: a page of it, or, for who asks with `format=ndjson` (csv) or the header
/// Accept and has the permission to export, its rows on and on: all that are behind offset or
/// cursor, or, where limit or page are given, that page. Exports take as much memory as a page and
/// are recorded in the audit log. Errors: as read_list_query; forbidden; those of the source.
Result<Reply> reply_list(Call& call, const SigningKeys& signing, ListFace face);

/// {data, pagination, meta, links, page_info}. Where the total is not known or goes beyond what is
/// counted (storage::kCountMax), it is null, as is the number of pages, and there is no link to the
/// last page; `pagination.total_at_least` then says how far was counted.
Json list_json(const Call& call, const ListQuery& query, ListPage page, const SigningKeys& signing);

/// A line of CSV (RFC 4180, CRLF). A text that a spreadsheet would take for a formula gets a ' in
/// front; numbers stay as they are.
std::string csv_line(const std::vector<std::string>& cells);

/// Comma-separated words, without empty ones.
std::vector<std::string> split_words(std::string_view text);

}  // namespace lab::api
