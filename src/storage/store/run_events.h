#pragma once
#include "storage/store/session.h"

#include <string>
#include <vector>

namespace lab::storage {

/// One thing that happened in a run.
struct StoredRunEvent {
    std::int64_t number = 0;  ///< 1.. per run
    std::string type;
    std::string data;  ///< JSON
};

/// What happened in runs lately. Not the truth about a run, only news of it: the last few are kept.
/// Borrows the session; same thread rule.
class RunEventLog {
  public:
    static constexpr std::int64_t kKept = 64;  ///< of each run

    explicit RunEventLog(Session& session) : session_(session) {}
    /// Those whose number is taken are left out: somebody else has told of them.
    Status append(const Ctx& ctx, std::int64_t run, const std::vector<StoredRunEvent>& events);
    /// Of a run by its id; with number > `after`, ascending.
    Result<std::vector<StoredRunEvent>> read(
        const Ctx& ctx, std::string_view run_id, std::int64_t after
    );
    /// 0 when there is none.
    Result<std::int64_t> last_number(const Ctx& ctx, std::int64_t run);

  private:
    Session& session_;
};

}  // namespace lab::storage
