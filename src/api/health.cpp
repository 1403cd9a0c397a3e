#include "api/health.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace lab::api {
namespace {

using Status = ComponentHealth::Status;

/// Without a beat for so long the process counts as stuck.
constexpr Duration kBeatMax = std::chrono::seconds(30);

std::string_view word(Status status) {
    switch (status) {
        case Status::healthy:
            return "healthy";
        case Status::degraded:
            return "degraded";
        case Status::unhealthy:
            return "unhealthy";
        case Status::disabled:
            break;
    }
    return "disabled";
}

Route probe(std::string_view path, std::string_view summary, Handler handler) {
    Route out;
    out.method = "GET";
    out.path = path;
    out.summary = summary;
    out.tag = "Health";
    out.guard = Guard::open;
    out.limit = LimitClass::exempt;
    out.priority = Priority::critical;
    out.on_io_thread = true;
    out.handler = std::move(handler);
    out.errors = {503};
    return out;
}

Reply plain(std::string text) {
    Reply out;
    out.text = std::move(text);
    out.content_type = "text/plain; charset=utf-8";
    return out;
}

}  // namespace

HealthBoard::HealthBoard(const Clock& clock, std::string version)
    : clock_(clock),
      version_(std::move(version)),
      begun_(clock.now()),
      last_beat_ns_(clock.now().time_since_epoch().count()) {}

void HealthBoard::set(ComponentHealth component) {
    component.last_check = format_rfc3339(clock_.wall());
    const std::lock_guard lock(mutex_);
    const auto found = std::ranges::find(components_, component.name, &ComponentHealth::name);
    if (found == components_.end()) {
        components_.push_back(std::move(component));
    } else {
        *found = std::move(component);
    }
}

void HealthBoard::beat() { last_beat_ns_ = clock_.now().time_since_epoch().count(); }

bool HealthBoard::is_live() const {
    return clock_.now().time_since_epoch() - Duration(last_beat_ns_.load()) < kBeatMax;
}

std::pair<std::string_view, bool> HealthBoard::overall() const {
    if (draining_) {
        return {"unhealthy", false};
    }
    const std::lock_guard lock(mutex_);
    bool degraded = false;
    for (const ComponentHealth& one : components_) {
        if (one.critical && one.status == Status::unhealthy) {
            return {"unhealthy", false};
        }
        degraded = degraded || one.status == Status::unhealthy || one.status == Status::degraded;
    }
    return {degraded ? "degraded" : "healthy", true};
}

Json HealthBoard::ready_json(bool with_messages) const {
    const auto [status, ready] = overall();
    Json out = Json::object();
    out["status"] = status;
    Json& components = out["components"] = Json::object();
    {
        const std::lock_guard lock(mutex_);
        for (const ComponentHealth& one : components_) {
            Json entry = {
                {"name", one.name},
                {"status", word(one.status)},
                {"critical", one.critical},
                {"latency_ms", std::chrono::duration<double, std::milli>(one.latency).count()},
                {"last_check", one.last_check},
            };
            if (with_messages && !one.message.empty()) {
                entry["message"] = one.message;
            }
            components[one.name] = std::move(entry);
        }
    }
    if (draining_) {
        out["message"] = "shutting down";
    }
    out["timestamp"] = format_rfc3339(clock_.wall());
    out["version"] = version_;
    out["uptime_seconds"] = std::chrono::duration<double>(clock_.now() - begun_).count();
    return out;
}

Json HealthBoard::detailed_json() const {
    Json out = ready_json(true);
    if (details_) {
        out.update(details_());
    }
    return out;
}

std::vector<Route> health_routes(HealthBoard& board, std::function<std::string()> metrics_text) {
    std::vector<Route> out;
    out.push_back(probe(
        "/health",
        "Answers OK while the process serves",
        [](Call&) -> Result<Reply> { return plain("OK"); }
    ));
    out.push_back(probe(
        "/health/live",
        "Whether the process is stuck",
        [&board](Call&) -> Result<Reply> {
            const bool live = board.is_live();
            return reply_json({{"status", live ? "alive" : "stuck"}}, live ? 200 : 503);
        }
    ));
    out.push_back(probe(
        "/health/ready",
        "Whether traffic may come, and how everything is",
        [&board](Call&) -> Result<Reply> {
            const bool ready = board.overall().second;
            return reply_json(board.ready_json(false), ready ? 200 : 503);
        }
    ));
    out.push_back(probe(
        "/health/startup",
        "Whether the start is over",
        [&board](Call&) -> Result<Reply> {
            const bool done = board.has_started();
            return reply_json({{"status", done ? "started" : "starting"}}, done ? 200 : 503);
        }
    ));
    Route detailed = probe(
        "/health/detailed",
        "The same with what the checks say, pools and versions",
        [&board](Call&) -> Result<Reply> { return reply_json(board.detailed_json()); }
    );
    detailed.guard = Guard::caller;
    detailed.on_io_thread = false;
    out.push_back(std::move(detailed));
    Route metrics = probe(
        "/metrics",
        "Metrics in the text format of Prometheus",
        [text = std::move(metrics_text)](Call&) -> Result<Reply> {
            Reply reply;
            reply.text = text();
            reply.content_type = "text/plain; version=0.0.4; charset=utf-8";
            return reply;
        }
    );
    metrics.tag = "Metrics";
    out.push_back(std::move(metrics));
    return out;
}

}  // namespace lab::api
