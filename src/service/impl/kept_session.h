#pragma once
#include "service/run_queue.h"
#include "storage/store/session.h"

namespace lab::service {

/// For a thread that looks into the store again and again.
class RunQueue::Kept {
  public:
    explicit Kept(const Deps& deps) : deps_(deps) {}

    /// Errors: those of `work`, and of opening a session.
    Status use(const Ctx& ctx, const std::function<Status(storage::Session&)>& work) {
        if (session_ && !session_->check(ctx)) {
            session_.reset();
        }
        if (!session_) {
            LAB_TRY(storage::Database * database, deps_.database(ctx));
            LAB_TRY(session_, database->open_session(ctx));
        }
        return work(*session_);
    }

  private:
    const Deps& deps_;
    std::unique_ptr<storage::Session> session_;
};

}  // namespace lab::service
