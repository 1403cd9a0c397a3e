#include "api/lists.h"

#include "api/router.h"
#include "base/percent.h"
#include "base/text.h"
#include "platform/crypto/base64url.h"

#include <algorithm>
#include <charconv>

namespace lab::api {
namespace {

constexpr std::int64_t kLimitMax = 100;
constexpr std::int64_t kExportPage = 100;  ///< rows fetched at once
constexpr std::int64_t kOffsetMax = 1'000'000'000;
constexpr std::size_t kMacBytes = 16;

Result<std::optional<std::int64_t>> read_number(
    const Call& call, std::string_view name, std::int64_t least, std::int64_t most
) {
    const std::optional<std::string> text = call.query(name);
    if (!text) {
        return std::nullopt;
    }
    std::int64_t value = 0;
    const char* const end = text->data() + text->size();
    const auto parsed = std::from_chars(text->data(), end, value);
    if (parsed.ptr != end || text->empty() || parsed.ec == std::errc::invalid_argument) {
        return Error(
            Code::bad_request,
            "the query parameter \"" + std::string(name) + "\" is no whole number"
        );
    }
    if (parsed.ec != std::errc() || value < least || value > most) {
        const std::string range = std::to_string(least) + " to " + std::to_string(most);
        return Error(
            Code::validation,
            "the query parameter \"" + std::string(name) + "\" must be " + range,
            {{std::string(name), "must be " + range}}
        );
    }
    return value;
}

/// Whether a parameter says where to go on. `after` is a moment on lists of events: cursors have no
/// colon.
bool is_cursor(std::string_view name, std::string_view value) {
    return name == "cursor" || (name == "after" && value.find(':') == value.npos);
}

struct SortName {
    std::string_view name;
    storage::SortBy by;
};
constexpr SortName kSorts[] = {
    {"created_at", storage::SortBy::created_at},
    {"updated_at", storage::SortBy::updated_at},
    {"name", storage::SortBy::name},
};

Status read_sort(const Call& call, ListQuery& out) {
    const std::optional<std::string> text = call.query("sort");
    if (!text) {
        return ok();
    }
    std::string_view name = *text;
    const bool descending = name.starts_with('-');
    name.remove_prefix(descending ? 1 : 0);
    const auto* const found = std::ranges::find(kSorts, name, &SortName::name);
    if (found == std::end(kSorts)) {
        return Error(
            Code::bad_request,
            "cannot sort by \"" + shorten(name, 40) +
                "\": use created_at, updated_at or name, "
                "with - in front for the other direction"
        );
    }
    out.sort = found->by;
    out.descending = descending;
    return ok();
}

/// Sort order, value and id, with a MAC: nobody makes one but us, and none serves another order.
std::string cursor_text(const ListQuery& query, const storage::ResourceCursor& at) {
    Json parts =
        Json::array({static_cast<int>(query.sort), query.descending ? 1 : 0, at.sort_value, at.id});
    return dump_json(parts);
}

/// The cursor and the list it belongs to, which has two paths.
std::string signed_text(const Call& call, std::string_view text) {
    std::string_view list = call.head().path;
    list.remove_prefix(list.starts_with("/v1/") ? 3 : 0);
    return "cursor\n" + std::string(list) + "\n" + std::string(text);
}

std::string make_cursor(
    const Call& call,
    const ListQuery& query,
    const storage::ResourceCursor& at,
    const SigningKeys& signing
) {
    const std::string text = cursor_text(query, at);
    return base64url_encode(signing.sign(signed_text(call, text)).substr(0, kMacBytes) + text);
}

Result<storage::ResourceCursor> read_cursor(
    const Call& call, const ListQuery& query, std::string_view cursor, const SigningKeys& signing
) {
    const Error refused(
        Code::bad_request, "this cursor was not given out for this list and this order"
    );
    const auto bytes = base64url_decode(cursor);
    if (!bytes || bytes->size() <= kMacBytes) {
        return refused;
    }
    const std::string_view text = std::string_view(*bytes).substr(kMacBytes);
    const std::string_view mac = std::string_view(*bytes).substr(0, kMacBytes);
    if (!signing.accept(signed_text(call, text), mac)) {
        return refused;
    }
    const auto parts = parse_json(text);
    if (!parts || parts->size() != 4 || (*parts)[0] != static_cast<int>(query.sort) ||
        (*parts)[1] != (query.descending ? 1 : 0)) {
        return refused;
    }
    return storage::ResourceCursor{
        .sort_value = (*parts)[2].get<std::string>(), .id = (*parts)[3].get<std::string>()
    };
}

Status read_place(const Call& call, const SigningKeys& signing, ListQuery& out) {
    LAB_TRY(const auto limit, read_number(call, "limit", 1, kLimitMax));
    LAB_TRY(const auto offset, read_number(call, "offset", 0, kOffsetMax));
    LAB_TRY(const auto page, read_number(call, "page", 1, kOffsetMax / kLimitMax));
    LAB_TRY(const auto page_size, read_number(call, "page_size", 1, kLimitMax));
    const auto after = call.query("after");
    const bool is_place = after && is_cursor("after", *after);
    const std::optional<std::string> cursor = is_place ? after : call.query("cursor");
    const bool both = call.query("cursor") && is_place;
    const int styles = (offset ? 1 : 0) + (page || page_size ? 1 : 0) + (cursor ? 1 : 0);
    if (styles > 1 || both || (limit && (page || page_size))) {
        return Error(
            Code::bad_request,
            "a list is asked for with limit and offset, with page and page_size, or with limit and "
            "cursor: not with two of them at once"
        );
    }
    if (page || page_size) {
        out.style = ListQuery::Style::page;
        out.limit = page_size.value_or(out.limit);
        out.offset = (page.value_or(1) - 1) * out.limit;
        return ok();
    }
    out.limit = limit.value_or(out.limit);
    out.offset = offset.value_or(0);
    if (cursor) {
        out.style = ListQuery::Style::cursor;
        LAB_TRY(out.after, read_cursor(call, out, *cursor, signing));
    }
    return ok();
}

std::string link(const Call& call, std::string_view name, const std::string& value) {
    std::string out = call.head().path;
    std::size_t count = 0;
    const auto add = [&](std::string_view key, std::string_view text) {
        out += count++ == 0 ? '?' : '&';
        out += percent_encode(key) + '=' + percent_encode(text);
    };
    for (const auto& [key, text] : call.query_values) {
        const bool is_place = key == name || (key == "after" && is_cursor(key, text));
        if (!is_place && count + 1 < kQueryValuesMax) {
            add(key, text);
        }
    }
    add(name, value);
    return out;
}

/// The value of offset, page or cursor that shows the page which begins at `offset`.
std::string link_at(const Call& call, const ListQuery& query, std::int64_t offset) {
    return query.style == ListQuery::Style::page
               ? link(call, "page", std::to_string(offset / query.limit + 1))
               : link(call, "offset", std::to_string(offset));
}

Json links_json(
    const Call& call, const ListQuery& query, const ListPage& page, const Json& next_cursor
) {
    Json links = json_object(5);
    links["self"] =
        call.head().query.empty() ? call.head().path : call.head().path + "?" + call.head().query;
    if (query.style == ListQuery::Style::cursor || !page.total) {
        if (!next_cursor.is_null()) {
            links["next"] = link(call, "cursor", next_cursor.get<std::string>());
        }
        return links;
    }
    links["first"] = link_at(call, query, 0);
    if (query.offset > 0) {
        links["prev"] = link_at(call, query, std::max<std::int64_t>(0, query.offset - query.limit));
    }
    if (page.more) {
        links["next"] = link_at(call, query, query.offset + query.limit);
    }
    if (page.total->is_exact) {
        const std::int64_t last = std::max<std::int64_t>(0, page.total->rows - 1) / query.limit;
        links["last"] = link_at(call, query, last * query.limit);
    }
    return links;
}

void keep_fields(Json& row, const std::vector<std::string>& fields) {
    if (fields.empty() || !row.is_object()) {
        return;
    }
    Json kept = Json::object();
    for (const std::string& field : fields) {
        if (const auto found = row.find(field); found != row.end()) {
            kept[field] = *found;
        }
    }
    row = std::move(kept);
}

/// Of `format`, or else of the media types the caller takes.
Result<ListFormat> read_format(const Call& call, const ListFace& face) {
    const bool has_csv = !face.csv_columns.empty();
    const std::optional<std::string> format = call.query("format");
    if (format == "ndjson") {
        return ListFormat::ndjson;
    }
    if (format && !face.format_is_filter) {
        if (*format == "csv" && has_csv) {
            return ListFormat::csv;
        }
        if (*format != "json") {
            return Error(
                Code::bad_request,
                "this list is made as json (pages) or ndjson (all of it)" +
                    std::string(has_csv ? " or csv (all of it)" : "") + ", not as \"" +
                    shorten(*format, 40) + "\""
            );
        }
        return ListFormat::pages;
    }
    const std::string accepted = to_lower(call.header("accept"));
    const auto takes = [&](std::string_view type) {
        return accepted.find(type) != std::string::npos;
    };
    if (takes("application/json")) {
        return ListFormat::pages;
    }
    if (takes("application/x-ndjson") || takes("application/ndjson")) {
        return ListFormat::ndjson;
    }
    return takes("text/csv") && has_csv ? ListFormat::csv : ListFormat::pages;
}

bool is_number(const std::string& text) {
    double value = 0;
    const char* const end = text.data() + text.size();
    const auto parsed = std::from_chars(text.data(), end, value);
    return !text.empty() && parsed.ec == std::errc() && parsed.ptr == end;
}

/// An answer that is asked for page by page, by whoever sends it.
class Export {
  public:
    Export(ListQuery query, ListFace face) : query_(std::move(query)), face_(std::move(face)) {}

    /// The rows of the next page as text; empty behind the last one.
    Result<std::string> next(const Call& call) {
        std::string out;
        if (!begun_ && query_.format == ListFormat::csv) {
            out = csv_line(face_.csv_columns);
        }
        begun_ = true;
        while (!over_ && out.empty()) {
            LAB_TRY(ListPage page, face_.source(call, query_));
            for (Json& row : page.data) {
                keep_fields(row, query_.fields);
                out += query_.format == ListFormat::csv ? csv_row(row) : dump_json(row) + "\n";
            }
            over_ = !page.more || !query_.all || (page.data.empty() && !page.last);
            query_.offset = page.last ? 0 : query_.offset + std::ssize(page.data);
            query_.after = std::move(page.last);
        }
        return out;
    }

  private:
    std::string csv_row(const Json& row) const {
        std::vector<std::string> cells;
        for (const std::string& column : face_.csv_columns) {
            const auto found = row.find(column);
            cells.push_back(
                found == row.end() || found->is_null() ? ""
                : found->is_string()                   ? found->get<std::string>()
                                                       : dump_json(*found)
            );
        }
        return csv_line(cells);
    }

    ListQuery query_;
    const ListFace face_;
    bool begun_ = false;
    bool over_ = false;
};

}  // namespace

Result<std::optional<std::int64_t>> number_after(const ListQuery& query) {
    if (!query.after) {
        return std::nullopt;
    }
    const std::string& text = query.after->sort_value;
    std::int64_t number = 0;
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
    if (parsed.ec != std::errc() || parsed.ptr != text.data() + text.size()) {
        return Error(Code::bad_request, "this cursor was not given out for this list");
    }
    return number;
}

storage::ResourceCursor cursor_at(std::int64_t number) {
    return {.sort_value = std::to_string(number), .id = ""};
}

storage::ResourcePage page_of(const ListQuery& query) {
    return {
        .sort = query.sort,
        .descending = query.descending,
        .limit = query.limit,
        .offset = query.offset,
        .after = query.after,
    };
}

ListPage page_shown(service::NounList found) {
    return {
        .data = std::move(found.rows),
        .total = found.total,
        .more = found.more,
        .last = std::move(found.last),
    };
}

std::string csv_line(const std::vector<std::string>& cells) {
    std::string out;
    for (const std::string& text : cells) {
        out += out.empty() && &text == cells.data() ? "" : ",";
        const bool formula = !text.empty() && !is_number(text) &&
                             std::string_view("=+-@\t\r").contains(text.front());
        const std::string cell = formula ? "'" + text : text;
        // In front of a file a byte order mark would not be of the cell, and an empty line is no
        // row.
        const bool is_plain = (!cell.empty() || cells.size() > 1) &&
                              cell.find_first_of(",\"\r\n") == std::string::npos &&
                              cell == trim_ascii(cell) && !cell.starts_with("\xEF\xBB\xBF");
        if (is_plain) {
            out += cell;
            continue;
        }
        out += '"';
        for (const char c : cell) {
            out += c == '"' ? "\"\"" : std::string(1, c);
        }
        out += '"';
    }
    return out + "\r\n";
}

namespace {

/// The page as an array, its place in headers.
Reply reply_array(Json list) {
    std::string links;
    for (const auto& [name, target] : list["links"].items()) {
        if (name != "self") {
            links += (links.empty() ? "<" : ", <") + target.get<std::string>() + ">; rel=\"" +
                     name + "\"";
        }
    }
    Reply reply = reply_json(std::move(list["data"]));
    if (!links.empty()) {
        reply.headers.emplace_back("Link", std::move(links));
    }
    reply.headers.emplace_back("X-Total-Count", dump_json(list["pagination"]["total"]));
    if (const Json& next = list["pagination"]["next_cursor"]; next.is_string()) {
        reply.headers.emplace_back("X-Next-Cursor", next.get<std::string>());
    }
    return reply;
}

}  // namespace

Result<Reply> reply_list(Call& call, const SigningKeys& signing, ListFace face) {
    LAB_TRY(ListQuery query, read_list_query(call, signing));
    LAB_TRY(query.format, read_format(call, face));
    const bool one_page = call.query("limit") || call.query("page") || call.query("page_size");
    query.all = query.format != ListFormat::pages && !one_page;
    if (query.format == ListFormat::pages) {
        query.limit = face.is_array && !one_page ? kArrayRowsMax : query.limit;
        LAB_TRY(ListPage page, face.source(call, query));
        if (face.is_array) {
            return reply_array(list_json(call, query, std::move(page), signing));
        }
        return reply_json(list_json(call, query, std::move(page), signing));
    }
    call.audit_as = AuditClass{
        .event = "data_access",
        .action = "export",
        .resource = face.exported_from.empty() ? face.resource : face.exported_from,
    };
    LAB_CHECK(require(call.request().caller, domain::Permission::export_data));
    const bool csv = query.format == ListFormat::csv;
    if (query.all) {
        query.limit = kExportPage;
    }
    Reply reply;
    reply.headers.emplace_back(
        "Content-Type", csv ? "text/csv; charset=utf-8" : "application/x-ndjson"
    );
    reply.headers.emplace_back(
        "Content-Disposition",
        "attachment; filename=\"" + std::string(face.resource) + (csv ? "s.csv\"" : "s.ndjson\"")
    );
    const auto rows = std::make_shared<Export>(std::move(query), std::move(face));
    reply.pieces = [rows](const Call& again) { return rows->next(again); };
    return reply;
}

const std::vector<QueryParameter>& list_parameters() {
    static const std::vector<QueryParameter> kParameters{
        {.name = "limit",
         .type = "integer",
         .help = "Rows of a page, 1 to 100; 20 when not given",
         .least = 1,
         .most = kLimitMax},
        {.name = "offset", .type = "integer", .help = "Rows to leave out in front"},
        {.name = "page",
         .type = "integer",
         .help = "Number of the page, from 1; with page_size instead of limit and offset",
         .least = 1,
         .most = kOffsetMax / kLimitMax},
        {.name = "page_size",
         .type = "integer",
         .help = "Rows of a page, 1 to 100",
         .least = 1,
         .most = kLimitMax},
        {"cursor", "string", "Goes on behind the page that gave it out"},
        {"after", "string", "The same as cursor"},
        {.name = "sort",
         .type = "string",
         .help = "created_at, updated_at or name; -created_at is the newest first",
         .values = {"created_at", "-created_at", "updated_at", "-updated_at", "name", "-name"}},
        {"fields", "string", "Names of the members to show, separated by commas"},
        {"format",
         "string",
         "ndjson: all rows, one a line, instead of pages (needs data:export); as Accept: "
         "application/x-ndjson"},
    };
    return kParameters;
}

std::vector<QueryParameter> ordered_list_parameters() {
    std::vector<QueryParameter> out = list_parameters();
    std::erase_if(out, [](const QueryParameter& one) { return one.name == "sort"; });
    return out;
}

std::vector<std::string> split_words(std::string_view text) {
    std::vector<std::string> out;
    while (!text.empty()) {
        const std::size_t comma = text.find(',');
        const std::string_view word = trim(text.substr(0, comma));
        if (!word.empty()) {
            out.emplace_back(word);
        }
        text.remove_prefix(comma == std::string_view::npos ? text.size() : comma + 1);
    }
    return out;
}

Result<ListQuery> read_list_query(const Call& call, const SigningKeys& signing) {
    ListQuery out;
    LAB_CHECK(read_sort(call, out));
    LAB_CHECK(read_place(call, signing, out));
    if (const auto fields = call.query("fields")) {
        out.fields = split_words(*fields);
    }
    return out;
}

Json list_json(
    const Call& call, const ListQuery& query, ListPage page, const SigningKeys& signing
) {
    Json next = nullptr;
    if (page.more && page.last) {
        next = make_cursor(call, query, *page.last, signing);
    }
    const std::int64_t number = query.offset / query.limit + 1;
    Json total;
    Json pages;
    if (page.total && page.total->is_exact) {
        total = page.total->rows;
        pages = (page.total->rows + query.limit - 1) / query.limit;
    }
    Json out = json_object(5);
    Json& data = out["data"] = Json::array();
    for (Json& row : page.data) {
        keep_fields(row, query.fields);
        data.push_back(std::move(row));
    }
    const bool follows = query.offset > 0 || query.after.has_value();
    // Member by member: lists of pairs are copied, and every list that is asked for has these.
    Json& pagination = out["pagination"] = json_object(6);
    pagination["total"] = total;
    if (page.total && !page.total->is_exact) {
        pagination["total_at_least"] = page.total->rows;
    }
    pagination["limit"] = query.limit;
    pagination["offset"] = query.offset;
    pagination["has_more"] = page.more;
    pagination["next_cursor"] = next;
    Json& meta = out["meta"] = json_object(6);
    meta["page"] = number;
    meta["page_size"] = query.limit;
    meta["total_count"] = total;
    meta["total_pages"] = pages;
    meta["has_next"] = page.more;
    meta["has_previous"] = follows;
    out["links"] = links_json(call, query, page, next);
    // Cursors go forwards only, from wherever a page was asked for: none leads back.
    Json& info = out["page_info"] = json_object(4);
    info["has_next_page"] = page.more;
    info["has_previous_page"] = follows;
    info["start_cursor"] = nullptr;
    info["end_cursor"] = std::move(next);
    return out;
}

}  // namespace lab::api
