#include "storage/store/session.h"

namespace lab::storage {

Status Session::exec_many(
    const Ctx& ctx,
    const Query& query,
    std::size_t count,
    const RowValues& values_of,
    std::vector<std::int64_t>& changed
) {
    changed.clear();
    changed.reserve(count);
    for (std::size_t row = 0; row < count; ++row) {
        LAB_TRY(const std::int64_t rows, exec(ctx, query, values_of(row)));
        changed.push_back(rows);
    }
    return ok();
}

Status Session::query_all(const Ctx& ctx, std::span<const Asked> asked) {
    for (const Asked& one : asked) {
        LAB_CHECK(query(ctx, one.query, one.values, one.on_row));
    }
    return ok();
}

Result<Transaction> Transaction::begin(const Ctx& ctx, Session& session) {
    LAB_CHECK(session.begin(ctx));
    return Transaction(session);
}

Transaction::Transaction(Transaction&& other) noexcept
    : session_(std::exchange(other.session_, nullptr)) {}

Transaction::~Transaction() {
    if (session_ != nullptr) {
        session_->rollback();
    }
}

Status Transaction::commit(const Ctx& ctx) {
    LAB_ASSERT(session_ != nullptr, "a transaction is committed once");
    LAB_CHECK(session_->commit(ctx));
    session_ = nullptr;
    return ok();
}

}  // namespace lab::storage
