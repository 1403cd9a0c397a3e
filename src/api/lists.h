#pragma once
#include "api/route.h"
#include "service/nouns.h"

namespace lab::api {

/// The parameters every list takes, for the table of routes.
const std::vector<QueryParameter>& list_parameters();
/// The same for a list that has one order only: without `sort`.
std::vector<QueryParameter> ordered_list_parameters();

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
};

/// Errors: bad_request for a value that is no number, a mixture of styles, a cursor that is not
/// ours; validation for one out of range. `cursor_key` signs cursors.
Result<ListQuery> read_list_query(const Call& call, std::string_view cursor_key);

/// One page of a list and how long the whole is.
struct ListPage {
    std::vector<Json> data;
    std::int64_t total = 0;
    bool more = false;
    /// Of the last row, where there is more.
    std::optional<storage::ResourceCursor> last;
};

/// {data, pagination, meta, links}, and page_info in the cursor style.
Json list_json(
    const Call& call, const ListQuery& query, ListPage page, std::string_view cursor_key
);

/// Comma-separated words, without empty ones.
std::vector<std::string> split_words(std::string_view text);

}  // namespace lab::api
