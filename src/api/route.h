#pragma once
#include "base/ctx.h"
#include "domain/access.h"
#include "platform/http/server.h"
#include "platform/json/json.h"
#include "service/request.h"

#include <nlohmann/json.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

/// The routes of the service as data. One table says for each what it is, who may use it, how it is
/// limited, audited and documented; dispatch, OpenAPI and the authorisation matrix all read it.
namespace lab::api {

/// Who may use a route.
enum class Guard : std::uint8_t {
    undeclared,  ///< nobody: a route without a guard stops the start
    open,        ///< everybody; a credential that is given must be good all the same
    caller,      ///< everybody with a credential
    permission,  ///< who has Route::permission
    admin,       ///< the operator's key, or the role Admin
    loopback,    ///< this machine without a credential, else as admin
};
enum class LimitClass : std::uint8_t {
    exempt,  ///< health and metrics
    normal,
    login,  ///< stricter, by address: where passwords are tried
};
/// Who goes first when there is more than can be done.
enum class Priority : std::uint8_t { critical, normal, background };
enum class InMaintenance : std::uint8_t { served, refused };
enum class BodyKind : std::uint8_t {
    none,
    json,
    raw,     ///< whole, in memory
    stream,  ///< piece by piece to Route::open_body, once it is known who asks and that they may
};

/// Takes a body as it comes. On pool threads, one call at a time.
class BodyWriter {
  public:
    virtual ~BodyWriter() = default;
    virtual Status write(std::string_view bytes) = 0;
};

/// What the audit log says of a successful or denied use; an empty action is not recorded.
struct AuditClass {
    std::string_view event;        ///< data_modification, security, ...
    std::string_view action;       ///< create, update, ...
    std::string_view resource;     ///< experiment, model, ...
    bool must_be_written = false;  ///< without its record the request fails
};

/// A parameter of the query; a value that does not fit is refused before the handler.
struct QueryParameter {
    std::string_view name;
    /// string, integer, boolean, uuid, time (RFC 3339), label (of a version); words, tags, uuids:
    /// several, with commas.
    std::string_view type;
    std::string_view help;
    bool required = false;
    std::vector<std::string_view> values = {};  ///< the only ones, of string and words
    std::int64_t least = 0;                     ///< of integer
    std::int64_t most = 1'000'000'000;          ///< of integer
};

/// A request on its way to the use case, decoded. Lives on one thread.
class Call {
  public:
    /// `request` is null for Route::on_io_thread, whose handler asks nobody.
    Call(
        const http::RequestHead& head,
        std::vector<std::string> path_values,
        const service::Request* request,
        Json body
    );
    const service::Request& request() const { return *request_; }
    /// The same with another session.
    void set_request(const service::Request& request) { request_ = &request; }
    const http::RequestHead& head() const { return head_; }
    /// The n-th {name} of the path; ids are checked to be UUIDs before.
    const std::string& path(std::size_t n) const { return path_values_.at(n); }
    const Json& body() const { return body_; }
    std::string_view header(std::string_view name) const;
    /// The same, but tells a header without a value from none.
    std::optional<std::string_view> given_header(std::string_view name) const;
    /// Decoded; nullopt when absent. Names that the route does not declare were refused before.
    std::optional<std::string> query(std::string_view name) const;
    /// What the audit log is to say instead of the route's own class; set by the handler.
    std::optional<AuditClass> audit_as;
    std::unique_ptr<BodyWriter> body_writer;  ///< has the whole body, for BodyKind::stream
    std::string raw_body;                     ///< as it came, for BodyKind::raw
    std::vector<std::pair<std::string, std::string>> query_values;  ///< decoded

  private:
    const http::RequestHead& head_;
    std::vector<std::string> path_values_;
    const service::Request* request_;
    Json body_;
};

/// An answer before it is written out.
struct Reply {
    int status = 200;
    std::optional<Json> json;
    std::string text;  ///< instead of json
    std::string content_type = "application/json";
    http::Headers headers;
    std::string audit_id;  ///< of the object, for the audit log, when it is not in the path
    std::vector<std::string> audit_made = {};  ///< ids of what a batch made
    std::optional<Json> audit_before;          ///< as it was before a change
    /// Instead of all that: the next piece of a long text, asked for again and again on pool
    /// threads, each time with a request of its own, until it is empty. An error behind the first
    /// one cuts the answer short, visibly.
    std::function<Result<std::string>(const Call&)> pieces;
    /// Instead of all that: takes over the exchange (server-sent events, downloads).
    std::function<void(std::shared_ptr<http::Exchange>, http::Headers)> stream;
};
Reply reply_json(Json value, int status = 200);
Reply reply_nothing();  ///< 204

using Handler = std::function<Result<Reply>(Call&)>;
using BodyOpener = std::function<Result<std::unique_ptr<BodyWriter>>(Call&)>;

/// Of a JSON body, where nothing else is said.
constexpr std::size_t kJsonBytesMax = 2U << 20;

struct Route {
    std::string_view method;
    std::string_view path;  ///< "/models/{id}"; a segment is literal or one {name}
    std::string_view summary;
    std::string_view tag;  ///< groups routes in the documentation
    Guard guard = Guard::undeclared;
    std::optional<domain::Permission> permission;
    /// A key with this scope will do where its roles have the permission; empty: none will.
    std::string_view or_scope = {};
    Handler handler;
    BodyKind body = BodyKind::none;
    /// For BodyKind::stream: called before anything of the body is read; the handler is called when
    /// all of it is written.
    BodyOpener open_body = {};
    /// What the head alone decides, before the client is told to go on with its body. On the I/O
    /// thread: asks nobody.
    std::function<Status(const http::RequestHead&, WallTime)> check_head = {};
    /// Schema of the body; nullptr = free-form or none. Problems are answered with 422.
    const Json* request_schema = nullptr;
    /// For the documentation alone, where the use case checks the body itself.
    const Json* shown_request_schema = nullptr;
    bool body_optional = false;
    /// The body may be an array of what request_schema describes (service::create_nouns), which the
    /// use case checks.
    bool takes_batch = false;
    const Json* response_schema = nullptr;
    int success = 200;
    std::vector<QueryParameter> query = {};
    AuditClass audit = {};
    LimitClass limit = LimitClass::normal;
    Priority priority = Priority::normal;
    InMaintenance maintenance = InMaintenance::served;
    bool any_content_type = false;  ///< JSON whatever the Content-Type says
    /// A list, which may be read from a copy of the database that is a moment behind. Never what is
    /// changed by its revision, nor what says who may do what.
    bool may_be_old = false;
    bool on_io_thread = false;  ///< never blocks: answered at once, without a session
    /// kJsonBytesMax: what the operator allows, ApplicationOptions::json_bytes_max.
    std::size_t body_bytes_max = kJsonBytesMax;
    /// Names of path values that are no UUIDs.
    std::vector<std::string_view> plain_path_values = {};
    std::vector<int> errors = {};  ///< beyond those every route may answer
    std::string_view id = {};      ///< operationId, such as "listModels"
    /// What a success is: the name of a component ("Model"), "[Model]" an array of it, "Page of
    /// Model"; then media types beside JSON, or instead of it ("text/html text/csv").
    std::string_view answer = {};
    std::string_view example = {};  ///< JSON of a body
    int also_success = 0;           ///< a second status that is one, such as 200 beside 201
};

}  // namespace lab::api
