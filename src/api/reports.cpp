#include "api/reports.h"

#include "api/lists.h"
#include "base/text.h"
#include "base/uuid.h"
#include "service/run_reports.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace lab::api {
namespace {

struct FormatName {
    std::string_view name;
    report::Format format;
    std::string_view content_type;
};
constexpr FormatName kFormats[] = {
    {"json", report::Format::json, "application/json"},
    {"html", report::Format::html, "text/html; charset=utf-8"},
    {"csv", report::Format::csv, "text/csv; charset=utf-8"},
    {"md", report::Format::markdown, "text/markdown; charset=utf-8"},
    {"junit", report::Format::junit, "application/xml"},
    {"yaml", report::Format::yaml, "application/yaml"},
    {"text", report::Format::text, "text/plain; charset=utf-8"},
    {"compact", report::Format::compact, "text/plain; charset=utf-8"},
    {"comparisons-csv", report::Format::comparisons_csv, "text/csv; charset=utf-8"},
    {"items-csv", report::Format::items_csv, "text/csv; charset=utf-8"},
};

Result<FormatName> read_format(const Call& call) {
    const std::string name = call.query("format").value_or("json");
    const auto* const found = std::ranges::find(kFormats, name, &FormatName::name);
    if (found == std::end(kFormats)) {
        return Error(
            Code::bad_request,
            "there is no report in the format \"" + shorten(name, 40) +
                "\": use json, html, csv, comparisons-csv, items-csv, md, junit, yaml, text or "
                "compact"
        );
    }
    return *found;
}

Result<std::vector<std::string>> read_compare(const Call& call) {
    std::vector<std::string> out = split_words(call.query("compare").value_or(""));
    for (std::string& id : out) {
        if (!is_uuid(id)) {
            return Error(Code::bad_request, "compare takes ids of runs, separated by commas");
        }
        id = to_lower(id);
    }
    if (out.size() > 16) {
        return Error(Code::bad_request, "at most 17 runs can be compared at once");
    }
    return out;
}

Result<Reply> report_of(const Call& call, const std::string& run) {
    LAB_TRY(const FormatName format, read_format(call));
    LAB_TRY(const auto others, read_compare(call));
    LAB_TRY(
        std::string text,
        service::render_run_report(call.request(), call.path(0), run, others, format.format)
    );
    Reply reply;
    reply.text = std::move(text);
    reply.content_type = format.content_type;
    if (format.format == report::Format::html) {
        // The page says itself, by hashes, which styles and scripts it needs.
        reply.headers.emplace_back(
            "Content-Security-Policy",
            "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
            "img-src data:; sandbox allow-scripts"
        );
    }
    return reply;
}

Route report_route(std::string_view path, std::string_view summary, Handler handler) {
    Route out;
    out.method = "GET";
    out.path = path;
    out.summary = summary;
    out.tag = "Reports";
    out.guard = Guard::permission;
    out.permission = domain::Permission::read_metrics;
    out.priority = Priority::background;
    out.handler = std::move(handler);
    out.query = {
        {.name = "format",
         .type = "string",
         .help = "json when not given",
         .values =
             {"json",
              "html",
              "csv",
              "comparisons-csv",
              "items-csv",
              "md",
              "junit",
              "yaml",
              "text",
              "compact"}},
        {"compare", "uuids", "Ids of other runs on the same rows, separated by commas"},
    };
    return out;
}

}  // namespace

std::vector<Route> report_routes() {
    std::vector<Route> out;
    out.push_back(report_route(
        "/experiments/{id}/runs/{run}/report",
        "The report of a run, alone or beside others",
        [](Call& call) { return report_of(call, call.path(1)); }
    ));
    out.push_back(report_route(
        "/experiments/{id}/report",
        "The report of the latest run with results",
        [](Call& call) -> Result<Reply> {
            LAB_TRY(
                const std::string run, service::latest_reportable_run(call.request(), call.path(0))
            );
            return report_of(call, run);
        }
    ));
    Route metrics = report_route(
        "/experiments/{id}/metrics",
        "The figures of an experiment",
        [](Call& call) -> Result<Reply> {
            LAB_TRY(Json figures, service::experiment_metrics(call.request(), call.path(0)));
            return reply_json(std::move(figures));
        }
    );
    metrics.query.clear();
    out.push_back(std::move(metrics));
    return out;
}

}  // namespace lab::api
