#include "storage/store/session.h"

namespace lab::storage {

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
