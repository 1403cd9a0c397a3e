#pragma once
#include "storage/store/session.h"

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace lab::storage {

/// A run with what its facts belong to.
struct FactRun {
    std::int64_t key = 0;
    std::string id;
    std::string experiment_id;
    std::string org_id;
    std::int64_t number = 0;
    std::string spec;    ///< JSON
    std::string origin;  ///< engine, client
    std::string created_at;
    std::string started_at;    ///< empty: not yet
    std::string completed_at;  ///< empty: not yet
    std::string state;
};

/// A finished sample without what models and data sets say.
struct StoredCall {
    std::int64_t index = 0;
    bool failed = false;
    std::int64_t variant = 0;
    bool cached = false;
    bool replayed = false;
    std::int64_t attempts = 0;
    std::int64_t http_status = 0;
    std::optional<std::int64_t> cost_pico;
    std::int64_t input_tokens = 0;   ///< cached ones too
    std::int64_t output_tokens = 0;  ///< reasoning too
    std::int64_t latency_ns = 0;
    std::optional<std::int64_t> first_token_ns;
    std::string_view error_code;  ///< valid inside the callback only
    std::string_view scores;      ///< the same
    std::optional<std::int64_t> stored_ms;
};

/// What was spent on samples of a run that are not stored.
struct CarriedCalls {
    std::int64_t calls = 0;
    std::int64_t cost_pico = 0;
    std::int64_t input_tokens = 0;
    std::int64_t output_tokens = 0;
};

/// Reads what facts are made of. Borrows the session; same thread rule.
class FactRows {
  public:
    explicit FactRows(Session& session) : session_(session) {}
    /// nullopt: it is gone.
    Result<std::optional<FactRun>> find_run(const Ctx& ctx, std::int64_t key);
    /// Those of an experiment that may have facts between two times (RFC 3339), oldest first.
    /// Points of clients have the times that clients gave them, so their runs always may.
    Result<std::vector<FactRun>> runs_between(
        const Ctx& ctx, std::string_view experiment_id, std::string_view from, std::string_view to
    );
    /// Finished samples with begin <= index < end, by index, at most `limit`.
    Status scan(
        const Ctx& ctx,
        std::int64_t run,
        std::int64_t begin,
        std::int64_t end,
        std::int64_t limit,
        const std::function<Status(const StoredCall&)>& each
    );
    Result<std::optional<CarriedCalls>> carried(const Ctx& ctx, std::int64_t run);

  private:
    Session& session_;
};

}  // namespace lab::storage
