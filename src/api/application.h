#pragma once
#include "api/admission.h"
#include "api/router.h"
#include "platform/http/server.h"
#include "platform/json/json.h"
#include "platform/process/work_pool.h"
#include "platform/telemetry/tracer.h"
#include "service/caller.h"
#include "service/identity.h"
#include "service/maintenance.h"
#include "service/rate_limit.h"

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace lab::api {

class HeldRefusals;

/// A request that was answered, for log and metrics.
struct Served {
    const Route* route = nullptr;
    std::string_view method;
    std::string_view path;  ///< of the route, "unmatched" without one
    int status = 0;
    Duration duration{};
    std::uint64_t bytes_in = 0;
    std::uint64_t bytes_out = 0;
    std::string_view request_id;
    std::string_view user_id;
    std::string_view trace_id;  ///< the caller's, or a new one; empty before the head was read
    std::string_view span_id;   ///< of this request
    std::string_view cause;     ///< of an error, for the log only
    bool shed = false;          ///< refused because there was more to do than can be done
};

struct ApplicationOptions {
    Duration request_timeout = std::chrono::seconds(30);
    std::size_t json_bytes_max = kJsonBytesMax;  ///< of routes that say nothing else
    int json_depth_max = JsonLimits{}.depth_max;
    /// Of every body that comes with a credential; files to signed addresses have their own.
    std::size_t body_bytes_max = 100U << 20;
    std::vector<std::string> cors_origins;
    bool compression = true;
    std::size_t compression_bytes_min = 1024;
    std::vector<std::string> trusted_proxies;  ///< addresses whose X-Forwarded-For is believed
};

/// What the HTTP face stands on; app fills it in. Everything outlives it. Called from many threads.
struct ApplicationDeps {
    const Clock* clock = nullptr;
    UuidSource* uuids = nullptr;
    TraceIdSource* trace_ids = nullptr;
    Tracer* tracer = nullptr;  ///< null: nobody traces
    const service::Deps* service = nullptr;
    storage::SessionPool* sessions = nullptr;
    storage::SessionPool* copies = nullptr;  ///< of a copy for Route::may_be_old, or none
    WorkPool* pool = nullptr;
    std::function<Result<service::Caller>(const Ctx&, storage::Session&, const service::Presented&)>
        authenticate;
    std::function<service::RateDecision(const service::Caller&, LimitClass)> check_rate;
    /// What was done, or was not, and to what. Errors: those of an audit that must not be lost.
    std::function<Status(
        const service::Request&,
        const Route&,
        const std::string& resource_id,
        const Reply*,
        const Error*,
        Duration
    )>
        audit;
    std::function<void(const Served&)> served;
    const service::MaintenanceFlag* maintenance = nullptr;
    const Admission* admission = nullptr;
    /// A request was refused because there was too much to do.
    std::function<void(Priority)> shed;
};

/// The HTTP face of the service: finds the route, checks who asks and how often, decodes, calls the
/// use case on a pool thread, encodes. Authorisation, limits, maintenance and audit happen here and
/// by the table alone, so no handler can forget them.
class Application final : public http::Application {
  public:
    Application(Router router, ApplicationDeps deps, ApplicationOptions options);
    ~Application() override;

    http::BodyPlan on_head(const http::RequestHead& head) override;
    void on_request(std::shared_ptr<http::Exchange> exchange) override;
    http::Response refuse(
        int status, std::string_view code, std::string_view why, const http::RequestHead* head
    ) override;
    void on_response_sent(const http::Sent& sent) override;

    const Router& router() const { return router_; }

    /// Sends the refusals that have waited long enough; some times a second.
    void look_at_refusals();
    /// The service ends: refusals wait no more.
    void end_refusals();

  private:
    struct Visit;
    class PieceSender;
    class UploadSink;
    /// The request as far as its head tells.
    std::shared_ptr<Visit> begin_visit(const http::RequestHead& head) const;
    /// Of a request whose route is known, when its trace is recorded.
    void begin_span(Visit& visit, const http::RequestHead& head) const;
    /// There is more to do than can be done, and this goes last.
    http::Response overloaded(Visit& visit) const;
    http::BodyPlan stream_plan(const Route& route);
    std::size_t body_bytes_max(const Route& route) const;
    http::Response answer(const Visit& visit, Reply reply) const;
    http::Response answer_error(const Visit& visit, const Error& error) const;
    /// What never waits: probes, metrics, documents.
    http::Response answer_at_once(const http::RequestHead& head, Visit& visit) const;
    static Duration patience_with_database(const Visit& visit);
    Result<Reply> read_copy(const Route& route, Call& call);
    void handle(
        const std::shared_ptr<http::Exchange>& exchange, const std::shared_ptr<Visit>& visit
    );
    Result<Reply> carry_out(
        const std::shared_ptr<http::Exchange>& exchange, Visit& visit, storage::Session& session
    );
    Status identify(Visit& visit, const http::RequestHead& head, const service::Request& request)
        const;
    /// Sends Reply::pieces as fast as the client takes them.
    void send_pieces(
        const std::shared_ptr<http::Exchange>& exchange,
        const std::shared_ptr<Visit>& visit,
        Reply reply
    );
    Status admit(Visit& visit, const http::RequestHead& head) const;
    void add_common_headers(const Visit& visit, http::Response& response) const;
    /// Of an answer that goes out piece by piece.
    void add_stream_headers(const Visit& visit, http::Headers& headers) const;
    void add_own_headers(const Visit& visit, http::Headers& headers) const;
    http::Response preflight(
        const Visit& visit, const http::RequestHead& head, const Router::Match& match
    ) const;
    /// Whether pages of this origin may read answers.
    bool is_welcome(std::string_view origin) const;
    std::string request_id_of(const http::RequestHead* head) const;

    Router router_;
    ApplicationDeps deps_;
    ApplicationOptions options_;
    std::atomic<TimePoint> copies_from_{TimePoint::min()};  ///< not asked before
    const std::unique_ptr<HeldRefusals> refusals_;
};

/// The error as it goes out: {"error": {code, message, details?, request_id, ...}}.
Json error_json(const Error& error, std::string_view request_id);

}  // namespace lab::api
