#pragma once
#include "base/executor.h"
#include "platform/json/json.h"
#include "service/nouns.h"
#include "service/request.h"
#include "storage/store/audit_log.h"
#include "storage/store/session_pool.h"

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// Who did what to what, and what came of it.
namespace lab::service {

enum class AuditType : std::uint8_t {
    authentication,
    authorization,
    data_access,
    data_modification,
    configuration,
    security,
    system_event,
};
enum class AuditAction : std::uint8_t {
    create,
    read,
    update,
    delete_,
    login,
    logout,
    login_failed,
    password_change,
    password_reset,
    api_key_created,
    api_key_revoked,
    permission_granted,
    permission_revoked,
    export_,
    import,
    config_change,
};
enum class AuditOutcome : std::uint8_t { success, failure, denied };
/// "data_modification", "delete", "denied"
std::string_view to_string(AuditType type);
std::string_view to_string(AuditAction action);
std::string_view to_string(AuditOutcome outcome);
std::optional<AuditType> audit_type_from(std::string_view text);
std::optional<AuditAction> audit_action_from(std::string_view text);
std::optional<AuditOutcome> audit_outcome_from(std::string_view text);

/// What is told beyond the fields, as JSON. Can only be made by hiding what must not be told:
/// secrets by the names of members and by their looks, e-mail addresses, and the texts of prompts,
/// inputs and outputs, of which the length is told. Long texts are cut; more than 16 KiB are left
/// out.
class AuditDetails {
  public:
    AuditDetails() = default;
    explicit AuditDetails(const Json& details);
    const std::string& text() const { return text_; }

  private:
    std::string text_ = "{}";
};

/// The members that differ: {"before": {...}, "after": {...}}.
Json audit_changes(const Json& before, const Json& after);

struct AuditEvent {
    AuditType type = AuditType::data_access;
    AuditAction action = AuditAction::read;
    AuditOutcome outcome = AuditOutcome::success;
    std::string reason;  ///< of a failure or denial
    std::int64_t org = 1;
    std::string actor_type;  ///< user, api_key, system, anonymous
    std::string actor_id;
    std::string actor_name;   ///< e-mail of a user, else what it is called
    std::string actor_owner;  ///< of a key: the user behind it
    /// experiment, run, model, dataset, prompt_template, evaluation, user, api_key, system
    std::string resource_type;
    std::string resource_id;
    AuditDetails details;
    std::string ip;
    std::string user_agent;
    std::string request_id;
    Duration duration{};
};

/// One with everything that is known of who does it.
AuditEvent audit_event(
    const Caller& caller,
    AuditType type,
    AuditAction action,
    std::string_view resource_type,
    std::string_view resource_id
);

/// Writes it now. Inside a transaction it stands or falls with what it tells of: for everything
/// that must not happen unseen.
Status write_audit(
    const Ctx& ctx, storage::Session& session, UuidSource& uuids, const AuditEvent& event
);
Status write_audit(const Request& request, const AuditEvent& event);

/// Whether the use may go on without its record.
enum class AuditDuty : std::uint8_t { optional, required };

struct AuditLimits {
    std::size_t queue_max = 8192;                    ///< events that wait
    std::size_t queue_bytes_max = 32U << 20;         ///< and what they take
    std::size_t batch_max = 256;                     ///< events a transaction
    Duration wait_max = std::chrono::seconds(2);     ///< of a required event for room
    Duration retry_after = std::chrono::seconds(1);  ///< when the store cannot be written
};

struct AuditStats {
    std::size_t waiting = 0;
    std::uint64_t written = 0;
    std::uint64_t dropped = 0;   ///< optional ones that found no room
    std::uint64_t refused = 0;   ///< required ones that found none in time
    std::uint64_t failures = 0;  ///< attempts to write that failed and were made again
    std::uint64_t lost = 0;      ///< events that the store refused for good
};

/// Events that are written a little later, in batches, on the worker's thread. What cannot be
/// written waits for better times, up to the bound. Any thread; made and stopped in app.
class AuditLog {
  public:
    /// All outlive it. The worker is its own: it blocks it while the store is away.
    AuditLog(
        Worker& worker,
        storage::SessionPool& sessions,
        const Clock& clock,
        UuidSource& uuids,
        AuditLimits limits = {}
    );
    /// stop() with two seconds.
    ~AuditLog();
    AuditLog(const AuditLog&) = delete;
    AuditLog& operator=(const AuditLog&) = delete;

    /// Errors: unavailable, for a required event alone, when there was no room until the caller's
    /// deadline or `wait_max`, or the log is stopped: then what it tells of must not happen.
    Status record(const Ctx& ctx, AuditEvent event, AuditDuty duty);
    /// Waits until what was recorded before is in the store. Errors: those of the caller's Ctx.
    Status flush(const Ctx& ctx);
    /// Takes nothing more, writes what is there, gives up after `limit`. False: something is lost.
    bool stop(Duration limit);
    AuditStats stats() const;

  private:
    struct Impl;
    std::shared_ptr<Impl> impl_;
};

/// As asked for from outside: times are RFC 3339 in any of its forms.
struct AuditQuery {
    storage::AuditFilter filter;
    storage::ResourcePage page;
};

/// Errors: forbidden; validation when an event type, action, outcome, actor or resource type is
/// none of ours, or a time cannot be read.
Result<NounList> list_audit(const Request& request, const AuditQuery& query);
/// {total, successful, failed, denied, unique_ips}. Errors: as list_audit.
Result<Json> audit_statistics(const Request& request, const storage::AuditFilter& filter);

}  // namespace lab::service
