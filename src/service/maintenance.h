#pragma once
#include "service/request.h"

#include <atomic>

/// Maintenance: nothing is changed or started while it lasts; reading goes on. Two switches, either
/// of which is enough: the setting of a process (MAINTENANCE_MODE), and that of the operators,
/// which stands in the store, so that every process sees it within seconds and it survives
/// restarts.
namespace lab::service {

/// Both switches as one process knows them. Any thread.
class MaintenanceFlag {
  public:
    explicit MaintenanceFlag(bool by_setting = false) : by_setting_(by_setting) {}
    bool on() const { return by_setting_ || by_operator_; }
    bool by_setting() const { return by_setting_; }
    bool by_operator() const { return by_operator_; }
    void set_by_setting(bool on) { by_setting_ = on; }
    void set_by_operator(bool on) { by_operator_ = on; }

  private:
    std::atomic<bool> by_setting_;
    std::atomic<bool> by_operator_ = false;
};

/// {enabled, reason, changed_by, changed_at}: the operators' switch as it is in the store.
Result<Json> maintenance_status(const Ctx& ctx, storage::Session& session);
/// Turns it; `reason` (at most 500 bytes) is kept for those who ask. Errors: validation.
Result<Json> set_maintenance(const Request& request, bool on, const std::string& reason);

}  // namespace lab::service
