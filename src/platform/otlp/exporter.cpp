#include "platform/otlp/exporter.h"

#include "base/percent.h"
#include "base/text.h"

#include <algorithm>

namespace lab::otlp {
namespace {

constexpr std::string_view kTraceService = "opentelemetry.proto.collector.trace.v1.TraceService";
constexpr std::string_view kTracePath = "/v1/traces";

class Exporter final : public SpanExporter {
  public:
    explicit Exporter(ExporterOptions options)
        : resource_(std::move(options.resource)),
          version_(std::move(options.version)),
          sender_(std::move(options.sender)) {}

    SpanDelivery send(std::span<const std::unique_ptr<SpanRecord>> spans) override {
        Answer answer =
            sender_.send(kTraceService, kTracePath, encode_traces(resource_, version_, spans));
        SpanDelivery out;
        out.retry_after = answer.retry_after;
        out.problem = std::move(answer.problem);
        if (answer.end == Answer::End::taken) {
            PartialSuccess partly = decode_partial_success(answer.response);
            out.rejected = partly.rejected;
            if (partly.rejected > 0) {
                out.problem = "some spans were not taken: " + partly.message;
            }
        } else {
            out.end = answer.end == Answer::End::refused ? SpanDelivery::End::refused
                                                         : SpanDelivery::End::unreachable;
        }
        return out;
    }

    void interrupt() override { sender_.interrupt(); }

  private:
    const Resource resource_;
    const std::string version_;
    Sender sender_;
};

bool is_token(std::string_view name) {
    constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
    return !name.empty() && std::ranges::all_of(name, [&](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || kMarks.find(c) != kMarks.npos;
    });
}

bool is_value(std::string_view value) {
    return std::ranges::all_of(value, [](char c) { return c == '\t' || (c >= 0x20 && c < 0x7f); });
}

}  // namespace

std::unique_ptr<SpanExporter> make_span_exporter(ExporterOptions options) {
    return std::make_unique<Exporter>(std::move(options));
}

Result<std::vector<std::pair<std::string, std::string>>> parse_headers(std::string_view text) {
    constexpr std::size_t kHeadersMax = 32;
    std::vector<std::pair<std::string, std::string>> out;
    for (const std::string_view part : split(text, ',')) {
        if (trim_ascii(part).empty()) {
            continue;
        }
        const std::size_t sign = part.find('=');
        const std::string name =
            sign == part.npos ? "" : to_lower(trim_ascii(part.substr(0, sign)));
        const auto value =
            sign == part.npos ? std::nullopt : percent_decode(trim_ascii(part.substr(sign + 1)));
        if (!is_token(name) || !value || !is_value(*value) || out.size() == kHeadersMax) {
            return Error(
                Code::validation,
                "must be name=value pairs with commas between them, at most 32, values "
                "percent-encoded"
            );
        }
        out.emplace_back(name, *value);
    }
    return out;
}

}  // namespace lab::otlp
