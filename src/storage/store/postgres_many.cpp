#include "storage/store/impl/postgres_error.h"
#include "storage/store/impl/postgres_row.h"
#include "storage/store/impl/postgres_session.h"

#include <libpq-fe.h>

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <optional>

/// Many rows at once: by COPY where the statement says how, in pipeline mode otherwise.
namespace lab::storage {
namespace {

/// Fewer are not worth the second round trip of a COPY.
constexpr std::size_t kCopyRowsMin = 4;
/// Rows whose answers are waited for together.
constexpr std::size_t kPipelineRowsMax = 1024;
/// What is handed to the socket at once.
constexpr std::size_t kSendBytes = std::size_t{64} << 10;
/// What PostgreSQL takes as one value.
constexpr std::size_t kValueBytesMax = (std::size_t{1} << 30) - 1;
/// For a server to give up a pipeline.
constexpr Duration kStopWaitMax = std::chrono::seconds(2);

// The file format of COPY: https://www.postgresql.org/docs/15/sql-copy.html, "Binary Format".
constexpr std::string_view kCopyStart{"PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0", 19};
constexpr std::string_view kCopyEnd{"\377\377", 2};

/// Most significant byte first.
template <class Number>
void append_number(std::string& out, Number number) {
    auto bytes = std::bit_cast<std::array<char, sizeof(Number)>>(number);
    static_assert(std::endian::native == std::endian::little);
    std::ranges::reverse(bytes);
    out.append(bytes.data(), bytes.size());
}

void append_field(std::string& out, const Value& value) {
    const auto append_bytes = [&](std::string_view bytes) {
        append_number(out, static_cast<std::int32_t>(bytes.size()));
        out += bytes;
    };
    if (const auto* const number = std::get_if<std::int64_t>(&value)) {
        append_number(out, std::int32_t{sizeof *number});
        append_number(out, *number);
    } else if (const auto* const real = std::get_if<double>(&value)) {
        append_number(out, std::int32_t{sizeof *real});
        append_number(out, *real);
    } else if (const auto* const text = std::get_if<std::string_view>(&value)) {
        append_bytes(*text);
    } else if (const auto* const blob = std::get_if<Blob>(&value)) {
        append_bytes(blob->bytes);
    } else {
        append_number(out, std::int32_t{-1});
    }
}

/// The row a COPY stopped at, from 0, as the error's context has it: "COPY samples, line 3". In
/// whatever language: the number behind the comma.
std::optional<std::size_t> row_of(const pg_result* result) {
    const char* const said = PQresultErrorField(result, PG_DIAG_CONTEXT);
    std::string_view context = said != nullptr ? said : "";
    context = context.substr(0, context.find('\n'));
    const std::size_t comma = context.find(',');
    const std::size_t digit =
        comma == context.npos ? context.npos : context.find_first_of("0123456789", comma);
    if (digit == context.npos) {
        return std::nullopt;
    }
    context.remove_prefix(digit);
    std::size_t line = 0;
    std::from_chars(context.data(), context.data() + context.size(), line);
    return line > 0 ? std::optional(line - 1) : std::nullopt;
}

/// Whether something went on after we stopped to wait for it.
bool is_waiting(const Status& read) {
    return !read && (read.error().code == Code::timed_out || read.error().code == Code::cancelled);
}

}  // namespace

Status PostgresSession::query_all(const Ctx& ctx, std::span<const Asked> asked) {
    if (asked.empty()) {
        return ok();
    }
    // Row by row where libpq goes on as it was told for the query before.
    std::vector<std::pair<std::size_t, PostgresResult>> answers;
    LAB_CHECK(start(ctx, asked.front().query));
    LAB_CHECK(ask_all(asked, answers));
    for (const auto& [which, result] : answers) {
        LAB_CHECK(check_columns(result.get(), asked[which].query.name));
        for (int row = 0; row < PQntuples(result.get()); ++row) {
            LAB_CHECK(asked[which].on_row(PostgresRow(result.get(), row)));
        }
    }
    return ok();
}

Status PostgresSession::ask_all(
    std::span<const Asked> asked, std::vector<std::pair<std::size_t, PostgresResult>>& answers
) {
    std::vector<const Prepared*> statements;
    for (const Asked& one : asked) {
        LAB_TRY(statements.emplace_back(), prepared(one.query));
    }
    if (PQenterPipelineMode(connection_->raw()) == 0) {
        return Error(Code::internal, "a statement is under way already");
    }
    const Query& first = asked.front().query;
    Status sent = ok();
    for (std::size_t i = 0; sent && i < asked.size(); ++i) {
        sent = send(asked[i].query, statements[i], asked[i].values);
    }
    if (sent && PQpipelineSync(connection_->raw()) == 0) {
        sent = connection_lost(first.name, connection_->said());
    }
    if (!sent) {
        end_pipeline(PipelineEnd::unsent);
        return sent;
    }
    Status read = connection_->flush();
    for (std::size_t i = 0; read && i < asked.size(); ++i) {
        read = read_pipeline(asked[i].query, [&](PostgresResult result) {
            answers.emplace_back(i, std::move(result));
        });
    }
    end_pipeline(is_waiting(read) ? PipelineEnd::given_up : PipelineEnd::answered);
    return read;
}

Status PostgresSession::exec_many(
    const Ctx& ctx,
    const Query& query,
    std::size_t count,
    const RowValues& values_of,
    std::vector<std::int64_t>& changed
) {
    changed.clear();
    LAB_ASSERT(
        connection_->is_lost() || PQtransactionStatus(connection_->raw()) != PQTRANS_IDLE,
        "many rows are written within a transaction"
    );
    if (!query.copy.empty() && count >= kCopyRowsMin) {
        LAB_CHECK(start(ctx, query));
        return copy(query, count, values_of, changed);
    }
    if (count == 1) {
        LAB_TRY(const std::int64_t rows, exec(ctx, query, values_of(0)));
        changed.push_back(rows);
        return ok();
    }
    for (std::size_t begin = 0; begin < count; begin += kPipelineRowsMax) {
        const std::size_t end = std::min(count, begin + kPipelineRowsMax);
        LAB_CHECK(pipeline(ctx, query, begin, end, values_of, changed));
    }
    return ok();
}

Status PostgresSession::pipeline(
    const Ctx& ctx,
    const Query& query,
    std::size_t begin,
    std::size_t end,
    const RowValues& values_of,
    std::vector<std::int64_t>& changed
) {
    LAB_CHECK(start(ctx, query));
    LAB_TRY(const Prepared* const kept, prepared(query));
    // Behind a pooler the transaction has its server to itself, and the statement needs no name.
    const Prepared nameless{.sql = query.sql.data(), .name = ""};
    if (PQenterPipelineMode(connection_->raw()) == 0) {
        return Error(Code::internal, "a statement is under way already");
    }
    Status sent = ok();
    if (kept == nullptr &&
        PQsendPrepare(connection_->raw(), "", std::string(query.sql).c_str(), 0, nullptr) == 0) {
        sent = connection_lost(query.name, connection_->said());
    }
    if (sent) {
        sent = send_pipeline(query, kept != nullptr ? *kept : nameless, begin, end, values_of);
    }
    if (!sent) {
        end_pipeline(PipelineEnd::unsent);
        return sent;
    }
    Status read = ok();
    if (kept == nullptr) {
        std::vector<std::int64_t> none;
        read = read_changed(query, 1, none);
    }
    if (read) {
        read = read_changed(query, end - begin, changed);
    }
    end_pipeline(is_waiting(read) ? PipelineEnd::given_up : PipelineEnd::answered);
    return read;
}

Status PostgresSession::send_pipeline(
    const Query& query,
    const Prepared& statement,
    std::size_t begin,
    std::size_t end,
    const RowValues& values_of
) {
    std::size_t bytes = 0;
    for (std::size_t row = begin; row < end; ++row) {
        const std::span<const Value> values = values_of(row);
        LAB_CHECK(send(query, &statement, values));
        for (const int length : lengths_) {
            bytes += static_cast<std::size_t>(length) + sizeof(std::int64_t);
        }
        if (bytes >= kSendBytes) {
            LAB_CHECK(connection_->flush());
            bytes = 0;
        }
    }
    if (PQpipelineSync(connection_->raw()) == 0) {
        return connection_lost(query.name, connection_->said());
    }
    return connection_->flush();
}

Status PostgresSession::read_pipeline(
    const Query& query, const std::function<void(PostgresResult)>& take
) {
    Status read = ok();
    for (bool is_first = true;; is_first = false) {
        LAB_TRY(PostgresResult result, connection_->next());
        if (!result && !is_first) {
            return read;
        }
        if (!result || PQresultStatus(result.get()) == PGRES_PIPELINE_ABORTED) {
            connection_->set_lost();
            return connection_lost(query.name, connection_->said());
        }
        if (PQresultStatus(result.get()) == PGRES_FATAL_ERROR) {
            read = failed(result.get(), query.name);
            if (connection_->is_lost()) {
                return read;
            }
        } else {
            take(std::move(result));
        }
    }
}

Status PostgresSession::read_changed(
    const Query& query, std::size_t count, std::vector<std::int64_t>& changed
) {
    const auto take = [&](const PostgresResult& result) {
        changed.push_back(changed_rows(result.get()));
    };
    for (std::size_t i = 0; i < count; ++i) {
        LAB_CHECK(read_pipeline(query, take));
    }
    return ok();
}

void PostgresSession::end_pipeline(PipelineEnd how) noexcept {
    if (connection_->is_lost()) {
        return;
    }
    if (how != PipelineEnd::answered) {
        if (connection_->is_silent()) {
            connection_->set_lost();
            return;
        }
        connection_->cancel();
    }
    pg_conn* const raw = connection_->raw();
    if (how == PipelineEnd::unsent && PQpipelineSync(raw) == 0) {
        connection_->set_lost();
        return;
    }
    connection_->arm(nullptr, kStopWaitMax);
    for (bool is_over = false; !is_over;) {
        const auto result = connection_->next();
        if (!result || connection_->is_lost()) {
            connection_->set_lost();
            return;
        }
        is_over = *result && PQresultStatus(result->get()) == PGRES_PIPELINE_SYNC;
    }
    if (PQexitPipelineMode(raw) == 0) {
        connection_->set_lost();
    }
}

Status PostgresSession::copy(
    const Query& query,
    std::size_t count,
    const RowValues& values_of,
    std::vector<std::int64_t>& changed
) {
    if (PQsendQuery(connection_->raw(), std::string(query.copy).c_str()) == 0) {
        return connection_lost(query.name, connection_->said());
    }
    if (Status flushed = connection_->flush(); !flushed) {
        return given_up(flushed.error(), query.name);
    }
    const auto begun = connection_->next();
    if (!begun) {
        return given_up(begun.error(), query.name);
    }
    if (!*begun || PQresultStatus(begun->get()) != PGRES_COPY_IN) {
        Status refused = *begun ? Status(failed(begun->get(), query.name)) : ok();
        const auto rest = finish(query.name);
        return refused ? connection_lost(query.name, connection_->said()) : refused;
    }
    const Status sent = send_copy(query, count, values_of);
    if (!sent) {
        if (PQputCopyEnd(connection_->raw(), "given up") != 1) {
            connection_->set_lost();
        }
        return given_up(sent.error(), query.name);
    }
    PostgresResult last;
    for (;;) {
        auto result = connection_->next();
        if (!result) {
            return given_up(result.error(), query.name);
        }
        if (!*result) {
            break;
        }
        last = *std::move(result);
    }
    if (last && PQresultStatus(last.get()) == PGRES_FATAL_ERROR) {
        changed.assign(std::min(row_of(last.get()).value_or(count), count), 1);
        return failed(last.get(), query.name);
    }
    if (!last || static_cast<std::size_t>(changed_rows(last.get())) != count) {
        connection_->set_lost();
        return connection_lost(query.name, connection_->said());
    }
    changed.assign(count, 1);
    return ok();
}

Status PostgresSession::send_copy(
    const Query& query, std::size_t count, const RowValues& values_of
) {
    std::string buffer(kCopyStart);
    const auto put = [&]() -> Status {
        const int sent =
            PQputCopyData(connection_->raw(), buffer.data(), static_cast<int>(buffer.size()));
        buffer.clear();
        return sent == 1 ? connection_->flush()
                         : Status(connection_lost(query.name, connection_->said()));
    };
    for (std::size_t row = 0; row < count; ++row) {
        const std::span<const Value> values = values_of(row);
        append_number(buffer, static_cast<std::int16_t>(values.size()));
        for (const Value& value : values) {
            append_field(buffer, value);
        }
        if (buffer.size() > kValueBytesMax) {
            return Error(
                Code::payload_too_large,
                "a value is too large for the database (" + std::string(query.name) + ")"
            );
        }
        if (buffer.size() >= kSendBytes) {
            LAB_CHECK(put());
        }
    }
    buffer += kCopyEnd;
    LAB_CHECK(put());
    if (PQputCopyEnd(connection_->raw(), nullptr) != 1) {
        return connection_lost(query.name, connection_->said());
    }
    return connection_->flush();
}

}  // namespace lab::storage
