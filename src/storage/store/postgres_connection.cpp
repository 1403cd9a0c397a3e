#include "storage/store/impl/postgres_connection.h"

#include "storage/store/impl/postgres_error.h"

#include <libpq-fe.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace lab::storage {
namespace {

/// A cancellation is a flag, not an event: between two looks at it.
constexpr Duration kWaitStepMax = std::chrono::milliseconds(20);
/// For a server to say that it has given up a statement.
constexpr Duration kStopWaitMax = std::chrono::seconds(2);
/// Who has been silent for longer may be silent for ever: PQcancel() waits without a limit.
constexpr Duration kAskMax = std::chrono::milliseconds(500);
constexpr std::size_t kHostsMax = 16;
constexpr int kNoticesMax = 64;
constexpr Query kGreet{"greet", "SELECT pg_backend_pid()"};
constexpr int kServerVersionMin = 150'000;

/// Of a connection that dies silently we hear within 20 s; the URL may say otherwise.
constexpr std::array<std::pair<const char*, const char*>, 4> kDefaults{{
    {"keepalives_idle", "10"},
    {"keepalives_interval", "3"},
    {"keepalives_count", "3"},
    {"tcp_user_timeout", "10000"},
}};

std::vector<std::string> split_commas(std::string_view text) {
    std::vector<std::string> out;
    for (;;) {
        const std::size_t comma = text.find(',');
        out.emplace_back(text.substr(0, comma));
        if (comma == std::string_view::npos) {
            return out;
        }
        text.remove_prefix(comma + 1);
    }
}

Error not_a_url() {
    return {
        Code::validation,
        "DATABASE_URL is no address of a PostgreSQL database: "
        "postgresql://user:password@host:5432/database is one"
    };
}

/// Of all that a server says unasked, its farewell alone counts.
void hear_notice(void* connection, const PGresult* notice) {
    const char* const severity = PQresultErrorField(notice, PG_DIAG_SEVERITY_NONLOCALIZED);
    if (severity != nullptr && std::string_view(severity) == "FATAL") {
        static_cast<PostgresConnection*>(connection)->set_lost();
    }
}

}  // namespace

void FreeResult::operator()(pg_result* result) const { PQclear(result); }

Result<PostgresTarget> parse_postgres_url(PostgresOptions options) {
    PostgresTarget target;
    const std::string_view url = options.url;
    if (!url.starts_with("postgresql://") && !url.starts_with("postgres://")) {
        return not_a_url();
    }
    const std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)> parsed(
        PQconninfoParse(options.url.c_str(), nullptr), &PQconninfoFree
    );
    if (!parsed) {
        return not_a_url();
    }
    std::array<std::pair<const char*, std::vector<std::string>>, 3> lists{
        {{"host", {}}, {"hostaddr", {}}, {"port", {}}}
    };
    bool has_name = false;
    for (const auto& [word, value] : kDefaults) {
        target.words.emplace_back(word, value);
    }
    for (const PQconninfoOption* one = parsed.get(); one->keyword != nullptr; ++one) {
        if (one->val == nullptr || *one->val == '\0') {
            continue;
        }
        const std::string_view word = one->keyword;
        const auto list = std::ranges::find(lists, word, [](const auto& pair) {
            return std::string_view(pair.first);
        });
        if (list != lists.end()) {
            list->second = split_commas(one->val);
        } else if (word == "target_session_attrs") {
            target.session_attrs = one->val;
        } else {
            has_name = has_name || word == "application_name";
            std::erase_if(target.words, [&](const auto& pair) { return pair.first == word; });
            target.words.emplace_back(word, one->val);
        }
    }
    if (!has_name) {
        target.words.emplace_back("application_name", options.application_name);
    }
    target.words.emplace_back("client_encoding", "UTF8");
    const std::size_t count =
        std::max<std::size_t>({lists[0].second.size(), lists[1].second.size(), 1});
    if (count > kHostsMax) {
        return Error(Code::validation, "DATABASE_URL names more than 16 hosts");
    }
    for (const auto& [word, values] : lists) {
        const bool one_port = std::string_view(word) == "port" && values.size() == 1;
        if (!values.empty() && values.size() != count && !one_port) {
            return Error(
                Code::validation, "DATABASE_URL needs as many ports and addresses as hosts, or one"
            );
        }
    }
    for (std::size_t i = 0; i < count; ++i) {
        PostgresTarget::Host& host = target.hosts.emplace_back();
        for (const auto& [word, values] : lists) {
            if (!values.empty()) {
                host.words.emplace_back(word, values[values.size() == 1 ? 0 : i]);
            }
        }
    }
    if (count > 1 && target.session_attrs.empty()) {
        target.session_attrs = options.is_copy ? "prefer-standby" : "read-write";
    }
    target.options = std::move(options);
    return target;
}

PostgresConnection::~PostgresConnection() { PQfinish(raw_); }

std::string PostgresConnection::said() const {
    return raw_ != nullptr ? PQerrorMessage(raw_) : "not enough memory";
}

bool PostgresConnection::is_lost() const {
    return lost_ || raw_ == nullptr || PQstatus(raw_) == CONNECTION_BAD;
}

Result<std::unique_ptr<PostgresConnection>> PostgresConnection::open(
    const Ctx& ctx, const PostgresTarget& target
) {
    LAB_CHECK(ctx.check());
    // A preference is a first round that insists, and a second that does not.
    const bool prefers = target.session_attrs == "prefer-standby";
    std::vector<std::string> rounds{prefers ? "standby" : target.session_attrs};
    if (prefers) {
        rounds.emplace_back("any");
    }
    Error last(Code::unavailable, "the database cannot be reached: try again");
    std::string causes;
    for (const std::string& attrs : rounds) {
        for (const PostgresTarget::Host& host : target.hosts) {
            std::unique_ptr<PostgresConnection> out(new PostgresConnection);
            const Ctx one = ctx.within(target.options.connect_timeout);
            const Status connected = out->connect(one, target, host, attrs);
            if (connected) {
                return out;
            }
            LAB_CHECK(ctx.check());
            causes += (causes.empty() ? "" : "; ") + connected.error().cause;
            if (connected.error().code != Code::timed_out) {
                last = connected.error();
            }
        }
    }
    last.cause = std::move(causes);
    return last;
}

Status PostgresConnection::connect(
    const Ctx& ctx,
    const PostgresTarget& target,
    const PostgresTarget::Host& host,
    const std::string& session_attrs
) {
    std::vector<const char*> words;
    std::vector<const char*> values;
    const auto add = [&](const auto& pairs) {
        for (const auto& [word, value] : pairs) {
            words.push_back(word.c_str());
            values.push_back(value.c_str());
        }
    };
    add(target.words);
    add(host.words);
    if (!session_attrs.empty()) {
        words.push_back("target_session_attrs");
        values.push_back(session_attrs.c_str());
    }
    words.push_back(nullptr);
    values.push_back(nullptr);
    raw_ = PQconnectStartParams(words.data(), values.data(), 0);
    arm(&ctx, target.options.connect_timeout);
    PostgresPollingStatusType state = PGRES_POLLING_WRITING;
    while (raw_ != nullptr && PQstatus(raw_) != CONNECTION_BAD && state != PGRES_POLLING_OK) {
        if (Status waited = wait(state == PGRES_POLLING_READING ? POLLIN : POLLOUT); !waited) {
            Error error = waited.error();
            error.cause = "connect: no answer in time";
            return error;
        }
        state = PQconnectPoll(raw_);
        if (state == PGRES_POLLING_FAILED) {
            break;
        }
    }
    if (state != PGRES_POLLING_OK) {
        return connect_error(said());
    }
    PQsetNoticeReceiver(raw_, &hear_notice, this);
    PQsetnonblocking(raw_, 1);
    return greet();
}

/// A pooler gives a number of its own where a server gives the number of its process.
Status PostgresConnection::greet() {
    if (PQserverVersion(raw_) < kServerVersionMin) {
        Error error(Code::unavailable, "the database must be PostgreSQL 15 or later");
        error.cause = "connect: the server is of version " + std::to_string(PQserverVersion(raw_));
        return error;
    }
    LAB_TRY(const PostgresResult result, run(kGreet));
    if (PQntuples(result.get()) != 1) {
        return connection_lost("greet", "no answer");
    }
    pooled_ = std::to_string(PQbackendPID(raw_)) != PQgetvalue(result.get(), 0, 0);
    return ok();
}

void PostgresConnection::arm(const Ctx* ctx, Duration wait_max) {
    ctx_ = ctx;
    wait_max_ = wait_max;
    waited_ = Duration::zero();
}

/// The waiting is counted beside the clock, so that it ends with any clock.
Status PostgresConnection::wait(short events) {
    for (;;) {
        if (ctx_ != nullptr) {
            LAB_CHECK(ctx_->check());
        }
        Duration step = kWaitStepMax;
        if (ctx_ != nullptr) {
            step = std::min(step, ctx_->remaining());
        }
        const auto whole = std::max(
            std::chrono::ceil<std::chrono::milliseconds>(step), std::chrono::milliseconds(1)
        );
        pollfd entry{.fd = PQsocket(raw_), .events = events, .revents = 0};
        const int ready = ::poll(&entry, 1, static_cast<int>(whole.count()));
        if (ready > 0) {
            return ok();
        }
        if (ready < 0 && errno != EINTR) {
            lost_ = true;
            return connection_lost("wait", std::strerror(errno));
        }
        waited_ += whole;
        patience_ -= std::min<Duration>(whole, patience_);
        if (patience_ <= Duration::zero()) {
            lost_ = true;
            Error error(Code::unavailable, "the database does not answer: try again in a moment");
            error.cause = "wait: the server was silent for too long";
            return error;
        }
        if (waited_ >= wait_max_) {
            return Error(Code::timed_out, "the database took longer than a statement may");
        }
    }
}

Status PostgresConnection::flush() {
    for (;;) {
        const int left = PQflush(raw_);
        if (left == 0) {
            return ok();
        }
        if (left < 0) {
            lost_ = true;
            return connection_lost("send", said());
        }
        // The server may wait for us to read before it reads on.
        LAB_CHECK(wait(POLLIN | POLLOUT));
        if (PQconsumeInput(raw_) == 0) {
            lost_ = true;
            return connection_lost("send", said());
        }
    }
}

Result<PostgresResult> PostgresConnection::next() {
    while (PQisBusy(raw_) != 0) {
        LAB_CHECK(wait(POLLIN));
        if (PQconsumeInput(raw_) == 0) {
            lost_ = true;
            return connection_lost("receive", said());
        }
    }
    return PostgresResult(PQgetResult(raw_));
}

bool PostgresConnection::drain_arrived() {
    while (PQconsumeInput(raw_) != 0 && PQisBusy(raw_) == 0) {
        if (!PostgresResult(PQgetResult(raw_))) {
            return true;
        }
    }
    return is_lost();
}

bool PostgresConnection::is_silent() const { return waited_ >= kAskMax; }

void PostgresConnection::cancel() noexcept {
    // A connection of its own, which tcp_user_timeout bounds.
    if (PGcancel* const cancel = PQgetCancel(raw_)) {
        std::array<char, 256> said{};
        PQcancel(cancel, said.data(), static_cast<int>(said.size()));
        PQfreeCancel(cancel);
    }
}

void PostgresConnection::stop() noexcept {
    if (is_lost() || drain_arrived()) {
        return;
    }
    if (is_silent()) {
        lost_ = true;
        return;
    }
    cancel();
    arm(nullptr, kStopWaitMax);
    for (;;) {
        const auto result = next();
        if (!result) {
            lost_ = true;
            return;
        }
        if (!*result) {
            return;
        }
    }
}

Result<PostgresResult> PostgresConnection::run(const Query& query) {
    const std::string_view name = query.name;
    if (PQsendQuery(raw_, std::string(query.sql).c_str()) == 0) {
        lost_ = true;
        return connection_lost(name, said());
    }
    LAB_CHECK(flush());
    PostgresResult last;
    for (;;) {
        LAB_TRY(PostgresResult result, next());
        if (!result) {
            break;
        }
        // The first error counts.
        if (!last || PQresultStatus(last.get()) != PGRES_FATAL_ERROR) {
            last = std::move(result);
        }
    }
    if (!last) {
        lost_ = true;
        return connection_lost(name, said());
    }
    if (PQresultStatus(last.get()) == PGRES_FATAL_ERROR) {
        const char* const state = PQresultErrorField(last.get(), PG_DIAG_SQLSTATE);
        const char* const words = PQresultErrorField(last.get(), PG_DIAG_MESSAGE_PRIMARY);
        return state == nullptr ? connection_lost(name, said())
                                : postgres_error(state, name, words != nullptr ? words : "");
    }
    return last;
}

bool PostgresConnection::has_been_closed() {
    // Nobody is asked: what an idle connection has to say is its end, or a notice.
    for (int i = 0; i < kNoticesMax && !is_lost(); ++i) {
        pollfd entry{.fd = PQsocket(raw_), .events = POLLIN, .revents = 0};
        if (::poll(&entry, 1, 0) <= 0) {
            return false;
        }
        if (PQconsumeInput(raw_) == 0) {
            lost_ = true;
        } else {
            PQisBusy(raw_);  // reads what has come
        }
    }
    return is_lost();
}

}  // namespace lab::storage
