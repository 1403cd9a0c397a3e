#include "platform/otlp/exporter.h"

#include <gtest/gtest.h>

namespace lab::otlp {
namespace {

using Headers = std::vector<std::pair<std::string, std::string>>;

TEST(OtlpHeaders, ArePairsWithCommasBetweenThem) {
    EXPECT_EQ(
        *parse_headers("api-key=abc, X-Tenant = a%2Cb%20c ,,z="),
        (Headers{{"api-key", "abc"}, {"x-tenant", "a,b c"}, {"z", ""}})
    );
    EXPECT_TRUE(parse_headers("")->empty());
}

TEST(OtlpHeaders, WhatIsNoneIsRefusedAndNotShown) {
    for (const char* bad :
         {"hunter2", "=hunter2", "a b=hunter2", "a=hunter2%0d%0aHost:x", "a=%hunter2", "a:b=hunter2"
         }) {
        const auto read = parse_headers(bad);
        ASSERT_FALSE(read) << bad;
        EXPECT_EQ(read.error().code, Code::validation);
        EXPECT_EQ(read.error().message.find("hunter2"), std::string::npos);
    }
}

TEST(OtlpExporter, NobodyThereIsUnreachable) {
    // Port 1 of the loopback address: nothing listens there.
    for (const Protocol protocol : {Protocol::grpc, Protocol::http_protobuf}) {
        auto exporter = make_span_exporter(
            {.sender = {.endpoint = "http://127.0.0.1:1", .protocol = protocol},
             .resource = {},
             .version = "1"}
        );
        const SpanDelivery delivery = exporter->send({});
        EXPECT_EQ(delivery.end, SpanDelivery::End::unreachable);
        EXPECT_NE(delivery.problem, "");
    }
}

}  // namespace
}  // namespace lab::otlp
