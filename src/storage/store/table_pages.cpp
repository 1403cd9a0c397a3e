#include "storage/store/impl/table_pages.h"

#include <algorithm>
#include <bit>

namespace lab::storage {
namespace {

constexpr std::size_t kPageRows = 1'000;
constexpr std::size_t kPageBytes = 8U << 20;
constexpr std::size_t kBatchBytes = 8U << 20;
constexpr std::size_t kBatchRows = 2'000;
/// Of one statement: PostgreSQL takes 65,535 parameters, SQLite 32,766.
constexpr std::size_t kParametersMax = 2'000;
constexpr std::size_t kRowsAtOnceMax = 100;

std::string quoted(const std::string& name) {
    LAB_ASSERT(name.find('"') == std::string::npos, "names of our schema have no quotes");
    return '"' + name + '"';
}

template <class Names, class Name>
std::string list_of(const Names& names, const Name& name_of) {
    std::string out;
    for (const auto& name : names) {
        out += (out.empty() ? "" : ", ") + quoted(name_of(name));
    }
    return out;
}

std::string columns_of(const TableShape& table) {
    return list_of(table.columns, [](const Column& column) { return column.name; });
}

std::string parameters(std::size_t first, std::size_t count) {
    std::string out = "(";
    for (std::size_t i = 0; i < count; ++i) {
        out += (i == 0 ? "$" : ", $") + std::to_string(first + i);
    }
    return out + ")";
}

std::string select_text(const TableShape& table, bool from_start) {
    const std::string key = list_of(table.key, [](const std::string& name) { return name; });
    std::string out = "SELECT " + columns_of(table) + " FROM " + quoted(table.name);
    if (!from_start) {
        out += " WHERE (" + key + ") > " + parameters(1, table.key.size());
    }
    return out + " ORDER BY " + key + " LIMIT " + std::to_string(kPageRows);
}

std::string insert_text(const TableShape& table, std::size_t rows) {
    std::string out = "INSERT INTO " + quoted(table.name) + " (" + columns_of(table) + ") VALUES ";
    for (std::size_t i = 0; i < rows; ++i) {
        out += i == 0 ? "" : ", ";
        out += parameters(1 + i * table.columns.size(), table.columns.size());
    }
    return out + " ON CONFLICT DO NOTHING";
}

std::size_t bytes_of(const StoredRow& row) {
    std::size_t out = 16 * row.size();
    for (const StoredValue& value : row) {
        const auto* const text = value ? std::get_if<std::string>(&*value) : nullptr;
        out += text != nullptr ? text->size() : 0;
    }
    return out;
}

Value bound(const StoredValue& value, ColumnKind kind) {
    if (!value) {
        return nullptr;
    }
    if (const auto* const number = std::get_if<std::int64_t>(&*value)) {
        return *number;
    }
    if (const auto* const real = std::get_if<double>(&*value)) {
        return *real;
    }
    const std::string& text = std::get<std::string>(*value);
    return kind == ColumnKind::bytes ? Value(Blob{text}) : Value(std::string_view(text));
}

/// Ends a page; never seen outside.
Error enough() { return {Code::cancelled, "enough for one page"}; }

}  // namespace

std::string encode_row(const StoredRow& row) {
    std::string out;
    for (const StoredValue& value : row) {
        if (!value) {
            out += 'n';
        } else if (const auto* const number = std::get_if<std::int64_t>(&*value)) {
            out += 'i' + std::to_string(*number) + ';';
        } else if (const auto* const real = std::get_if<double>(&*value)) {
            out += 'r' + std::to_string(std::bit_cast<std::uint64_t>(*real)) + ';';
        } else {
            const std::string& text = std::get<std::string>(*value);
            out += 's' + std::to_string(text.size()) + ':';
            out += text;
        }
    }
    return out + '\n';
}

TableStatements::TableStatements(const TableShape& shape)
    : table(shape),
      rows_at_once(std::clamp<std::size_t>(kParametersMax / table.columns.size(), 1, kRowsAtOnceMax)
      ),
      texts{
          select_text(table, true),
          select_text(table, false),
          insert_text(table, rows_at_once),
          insert_text(table, 1),
          "SELECT COALESCE(max(" + quoted(table.key.front()) + "), 0) FROM " + quoted(table.name),
      },
      first_page{"copy_first_page", texts[0]},
      next_page{"copy_next_page", texts[1]},
      insert_many{"copy_insert_many", texts[2]},
      insert_one{"copy_insert_one", texts[3]},
      greatest_key{"copy_greatest_key", texts[4]} {
    for (const std::string& name : table.key) {
        const auto column = std::ranges::find(table.columns, name, &Column::name);
        LAB_ASSERT(column != table.columns.end(), "a key consists of columns");
        key.push_back(static_cast<std::size_t>(column - table.columns.begin()));
    }
}

StoredRow TableReader::read(const Row& row) const {
    StoredRow out;
    out.reserve(statements_.table.columns.size());
    for (std::size_t i = 0; i < statements_.table.columns.size(); ++i) {
        const int at = static_cast<int>(i);
        if (row.is_null(at)) {
            out.emplace_back();
            continue;
        }
        switch (statements_.table.columns[i].kind) {
            case ColumnKind::integer:
                out.emplace_back(row.integer(at));
                break;
            case ColumnKind::real:
                out.emplace_back(row.real(at));
                break;
            case ColumnKind::text:
                out.emplace_back(std::string(row.text(at)));
                break;
            case ColumnKind::bytes:
                out.emplace_back(std::string(row.blob(at)));
                break;
        }
    }
    return out;
}

bool TableReader::is_behind(const StoredRow& a, const StoredRow& b) const {
    for (const std::size_t at : statements_.key) {
        if (a[at] != b[at]) {
            return a[at] > b[at];
        }
    }
    return false;
}

Status TableReader::fill(const Ctx& ctx) {
    std::vector<Value> after;
    for (const std::size_t at : has_begun_ ? statements_.key : std::vector<std::size_t>()) {
        after.push_back(bound(current_[at], statements_.table.columns[at].kind));
    }
    std::size_t bytes = 0;
    std::size_t rows = 0;
    const Status read_page = session_.query(
        ctx,
        has_begun_ ? statements_.next_page : statements_.first_page,
        after,
        [&](const Row& row) -> Status {
            page_.push_back(read(row));
            bytes += bytes_of(page_.back());
            ++rows;
            return bytes > kPageBytes ? Status(enough()) : ok();
        }
    );
    const bool is_full = bytes > kPageBytes;
    if (!read_page && !is_full) {
        return read_page.error();
    }
    is_at_end_ = !is_full && rows < kPageRows;
    return ok();
}

Result<const StoredRow*> TableReader::next(const Ctx& ctx) {
    if (page_.empty() && !is_at_end_) {
        LAB_CHECK(fill(ctx));
    }
    if (page_.empty()) {
        return nullptr;
    }
    current_ = std::move(page_.front());
    page_.pop_front();
    has_begun_ = true;
    return &current_;
}

Status TableWriter::add(const Ctx& ctx, const StoredRow& row) {
    waiting_.push_back(row);
    bytes_ += bytes_of(row);
    return bytes_ >= kBatchBytes || waiting_.size() >= kBatchRows ? flush(ctx) : ok();
}

Status TableWriter::insert(const Ctx& ctx, std::span<const StoredRow> rows, const Query& query) {
    std::vector<Value> values;
    values.reserve(rows.size() * statements_.table.columns.size());
    for (const StoredRow& row : rows) {
        for (std::size_t i = 0; i < row.size(); ++i) {
            values.push_back(bound(row[i], statements_.table.columns[i].kind));
        }
    }
    LAB_CHECK(session_.exec(ctx, query, values));
    return ok();
}

Status TableWriter::flush(const Ctx& ctx) {
    if (waiting_.empty()) {
        return ok();
    }
    LAB_TRY(auto transaction, Transaction::begin(ctx, session_));
    std::span<const StoredRow> rest = waiting_;
    while (rest.size() >= statements_.rows_at_once) {
        LAB_CHECK(insert(ctx, rest.first(statements_.rows_at_once), statements_.insert_many));
        rest = rest.subspan(statements_.rows_at_once);
    }
    for (; !rest.empty(); rest = rest.subspan(1)) {
        LAB_CHECK(insert(ctx, rest.first(1), statements_.insert_one));
    }
    LAB_CHECK(transaction.commit(ctx));
    written_ += std::ssize(waiting_);
    waiting_.clear();
    bytes_ = 0;
    return ok();
}

Result<std::int64_t> greatest_key(
    const Ctx& ctx, Session& session, const TableStatements& statements
) {
    std::int64_t out = 0;
    LAB_CHECK(session.query(ctx, statements.greatest_key, {}, [&](const Row& row) {
        out = row.integer(0);
        return ok();
    }));
    return out;
}

}  // namespace lab::storage
