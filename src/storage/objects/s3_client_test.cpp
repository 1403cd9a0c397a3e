#include "storage/objects/s3_client.h"

#include "base/time_text.h"
#include "storage/objects/impl/test_s3.h"

#include <gtest/gtest.h>

#include <algorithm>

// Against a real server: tools/s3.py.
namespace lab::storage {
namespace {

using namespace std::chrono_literals;
using test::noise;
using test::S3Kit;

constexpr std::int64_t kPart = std::int64_t{5} << 20;

struct S3ClientTest : testing::Test {
    void SetUp() override {
        if (!test::s3_server()) {
            GTEST_SKIP() << test::kNoS3Server;
        }
        server = test::s3_server().value();
        options = test::quick({.bucket = server.bucket, .endpoint = server.endpoint});
        options.part_bytes = kPart;
        kit.emplace(options, aws::Credentials{server.access_key_id, server.secret_access_key});
        // Tests of one server must not see each other's objects, nor those of the last time.
        const testing::TestInfo* info = testing::UnitTest::GetInstance()->current_test_info();
        prefix = std::string("tests/") + info->name() + std::to_string(entropy()) + "/";
    }
    S3Client& s3() { return kit.value().client; }
    std::string key(const std::string& name) const { return prefix + name; }
    http::Answer fetch(
        const std::string& method,
        const std::string& url,
        const std::string& body = {},
        http::Headers headers = {}
    ) {
        http::Request request;
        request.method = method;
        request.url = url;
        request.headers = std::move(headers);
        request.body = body;
        return kit.value().http.call(ctx, std::move(request)).value();
    }
    static std::string problem_of(const Status& status) {
        return status ? "" : status.error().message;
    }

    test::S3Server server;
    S3Options options;
    std::optional<S3Kit> kit;
    std::string prefix;
    SystemClock clock;
    Ctx ctx = Ctx(clock).within(60s);
    test::TestFolder folder;
};

TEST_F(S3ClientTest, AnObjectIsPutFoundReadAndRemoved) {
    const std::string bytes = noise(100'000);
    ASSERT_TRUE(s3().check(ctx));
    ASSERT_EQ(problem_of(s3().put(ctx, key("a"), bytes, {.content_type = "text/csv"})), "");
    const auto found = s3().find(ctx, key("a"));
    ASSERT_TRUE(found && *found);
    EXPECT_EQ(found->value().bytes, 100'000);
    EXPECT_EQ(found->value().content_type, "text/csv");
    EXPECT_FALSE(found->value().etag.empty());
    const auto got = s3().get(ctx, key("a"), 1U << 20);
    ASSERT_TRUE(got) << got.error().message;
    EXPECT_TRUE(*got == bytes);
    const auto large = s3().get(ctx, key("a"), 99'999);
    ASSERT_FALSE(large);
    EXPECT_EQ(large.error().code, Code::payload_too_large);
    ASSERT_EQ(problem_of(s3().remove(ctx, key("a"))), "");
    EXPECT_EQ(problem_of(s3().remove(ctx, key("a"))), "") << "it may be gone already";
    const auto gone = s3().find(ctx, key("a"));
    ASSERT_TRUE(gone);
    EXPECT_FALSE(*gone);
    const auto none = s3().get(ctx, key("a"), 10);
    ASSERT_FALSE(none);
    EXPECT_EQ(none.error().code, Code::not_found);
}

TEST_F(S3ClientTest, OddKeysAndNoBytesAtAllAreKept) {
    for (const std::string& name :
         {std::string("plain"),
          std::string("a b+c&d=e?f#g%41"),
          std::string("\xC3\xA9\xE6\x97\xA5"),
          std::string("~!*'()$@,;:"),
          std::string("quote\"<>|^`{}[]"),
          std::string(200, 'x')}) {
        ASSERT_EQ(problem_of(s3().put(ctx, key(name), name)), "") << name;
        EXPECT_EQ(s3().get(ctx, key(name), 1000), name);
        const auto address = s3().presign(ctx, "GET", key(name), 60s);
        ASSERT_TRUE(address);
        EXPECT_EQ(fetch("GET", *address).body, name);
    }
    ASSERT_EQ(problem_of(s3().put(ctx, key("empty"), "")), "");
    EXPECT_EQ(s3().get(ctx, key("empty"), 10), "");
    EXPECT_EQ(s3().find(ctx, key("empty"))->value().bytes, 0);
}

TEST_F(S3ClientTest, ARangeIsPartOfAnObject) {
    const std::string bytes = noise(10'000);
    ASSERT_EQ(problem_of(s3().put(ctx, key("r"), bytes)), "");
    const auto read = [&](S3Range range) {
        std::string out;
        const Status got = s3().get(ctx, key("r"), range, [&](std::string_view piece) {
            out += piece;
            return true;
        });
        EXPECT_EQ(problem_of(got), "");
        return out;
    };
    EXPECT_EQ(read({.first = 0, .last = 0}), bytes.substr(0, 1));
    EXPECT_EQ(read({.first = 5'000, .last = 5'999}), bytes.substr(5'000, 1'000));
    EXPECT_EQ(read({.first = 9'000}), bytes.substr(9'000));
    EXPECT_EQ(read({.first = 9'999, .last = 100'000}), bytes.substr(9'999));
    const Status behind =
        s3().get(ctx, key("r"), S3Range{.first = 10'000}, [](std::string_view) { return true; });
    ASSERT_FALSE(behind);
    EXPECT_EQ(behind.error().code, Code::bad_request);
    const Status enough =
        s3().get(ctx, key("r"), std::nullopt, [](std::string_view) { return false; });
    ASSERT_FALSE(enough);
    EXPECT_EQ(enough.error().code, Code::cancelled);
}

TEST_F(S3ClientTest, AnObjectIsNotReplacedWhenItMustNotBe) {
    ASSERT_EQ(problem_of(s3().put(ctx, key("once"), "first", {.only_if_absent = true})), "");
    const Status again = s3().put(ctx, key("once"), "second", {.only_if_absent = true});
    ASSERT_FALSE(again);
    EXPECT_EQ(again.error().code, Code::precondition_failed);
    EXPECT_EQ(s3().get(ctx, key("once"), 100), "first");
    ASSERT_EQ(problem_of(s3().put(ctx, key("once"), "third")), "");
    EXPECT_EQ(s3().get(ctx, key("once"), 100), "third");
}

TEST_F(S3ClientTest, AFileGoesWholeOrInParts) {
    for (const std::int64_t bytes : {std::int64_t{0}, kPart, kPart + 1, 2 * kPart + 12'345}) {
        const std::string text = noise(static_cast<std::size_t>(bytes), 3);
        const std::string path = folder.file("file");
        test::write_file(path, text);
        ASSERT_EQ(problem_of(s3().put_file(ctx, key("f"), path)), "") << bytes;
        const auto got = s3().get(ctx, key("f"), 64U << 20);
        ASSERT_TRUE(got) << got.error().message;
        EXPECT_TRUE(*got == text) << bytes;
        const auto found = s3().find(ctx, key("f"));
        ASSERT_TRUE(found && *found);
        EXPECT_EQ(found->value().bytes, bytes);
        EXPECT_EQ(found->value().etag.find('-') != std::string::npos, bytes > kPart);
    }
    const Status missing = s3().put_file(ctx, key("f"), folder.file("none"));
    ASSERT_FALSE(missing);
    EXPECT_EQ(missing.error().code, Code::io);
}

TEST_F(S3ClientTest, AListHasPages) {
    for (int i = 0; i < 25; ++i) {
        ASSERT_EQ(problem_of(s3().put(ctx, key("l/" + std::to_string(10 + i)), "x")), "");
    }
    ASSERT_EQ(problem_of(s3().put(ctx, key("m"), "y")), "");
    std::vector<std::string> keys;
    std::string token;
    int pages = 0;
    do {
        const auto page = s3().list(ctx, key("l/"), token, 10);
        ASSERT_TRUE(page) << page.error().message;
        for (const S3Listed& one : page->objects) {
            keys.push_back(one.key);
            EXPECT_EQ(one.bytes, 1);
            EXPECT_TRUE(parse_rfc3339(one.modified)) << one.modified;
        }
        token = page->next;
        ++pages;
    } while (!token.empty() && pages < 10);
    EXPECT_EQ(pages, 3);
    ASSERT_EQ(keys.size(), 25U);
    EXPECT_TRUE(std::ranges::is_sorted(keys));
    EXPECT_EQ(keys.front(), key("l/10"));
}

TEST_F(S3ClientTest, AnAddressIsGoodForOneMethodOneObjectAndATime) {
    ASSERT_EQ(problem_of(s3().put(ctx, key("p"), "bytes")), "");
    ASSERT_EQ(problem_of(s3().put(ctx, key("q"), "other")), "");
    const auto address = s3().presign(ctx, "GET", key("p"), 60s);
    ASSERT_TRUE(address);
    EXPECT_EQ(fetch("GET", *address).body, "bytes");
    EXPECT_EQ(fetch("PUT", *address, "changed").status, 403);
    EXPECT_EQ(fetch("DELETE", *address).status, 403);
    std::string other = *address;
    other.replace(other.find("/p?"), 3, "/q?");
    EXPECT_EQ(fetch("GET", other).status, 403);
    std::string longer = *address;
    longer.replace(longer.find("Expires=60"), 10, "Expires=6000");
    EXPECT_EQ(fetch("GET", longer).status, 403);
    std::string forged = *address;
    forged.back() = forged.back() == '0' ? '1' : '0';
    EXPECT_EQ(fetch("GET", forged).status, 403);
    const aws::Presigned old{
        .url = s3_url(options.place, key("p")), .life = std::chrono::seconds(60)
    };
    const std::string expired = aws::presign(
        old,
        {"us-east-1", "s3"},
        {server.access_key_id, server.secret_access_key},
        clock.wall() - 61s
    );
    EXPECT_EQ(fetch("GET", expired).status, 403);
}

TEST_F(S3ClientTest, AnAddressTakesAnUploadOfTheTypeItWasMadeFor) {
    const http::Headers type = {{"Content-Type", "text/csv"}};
    const auto address = s3().presign(ctx, "PUT", key("u"), 60s, type);
    ASSERT_TRUE(address);
    EXPECT_EQ(fetch("PUT", *address, "a,b\n", {{"Content-Type", "text/html"}}).status, 403);
    EXPECT_EQ(fetch("PUT", *address, "a,b\n", type).status, 200);
    EXPECT_EQ(s3().get(ctx, key("u"), 100), "a,b\n");
}

TEST_F(S3ClientTest, AWrongSecretIsSaidWithoutSayingIt) {
    S3Kit wrong(options, {server.access_key_id, "not-the-secret"});
    const Status refused = wrong.client.put(ctx, key("w"), "x");
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::upstream_error);
    EXPECT_EQ(
        refused.error().message,
        "the object store refuses: SignatureDoesNotMatch: its credentials are not right"
    );
    S3Kit unknown(options, {"AKIDNOBODY", "not-the-secret"});
    const Status nobody = unknown.client.put(ctx, key("w"), "x");
    ASSERT_FALSE(nobody);
    EXPECT_EQ(nobody.error().code, Code::upstream_error);
    EXPECT_TRUE(nobody.error().message.starts_with("the object store refuses: "));
    S3Options elsewhere = options;
    elsewhere.place.bucket = "no-such-bucket";
    S3Kit lost(elsewhere, {server.access_key_id, server.secret_access_key});
    EXPECT_EQ(
        problem_of(lost.client.put(ctx, key("w"), "x")),
        "the object store refuses: NoSuchBucket: S3_BUCKET names a bucket that is not there"
    );
    EXPECT_FALSE(lost.client.check(ctx));
    S3Options region = options;
    region.place.region = "eu-west-1";
    S3Kit abroad(region, {server.access_key_id, server.secret_access_key});
    EXPECT_EQ(
        problem_of(abroad.client.put(ctx, key("w"), "x")),
        "the object store refuses: AuthorizationHeaderMalformed: S3_REGION is not the region of "
        "the bucket"
    );
    const auto nothing = s3().find(ctx, key("w"));
    ASSERT_TRUE(nothing);
    EXPECT_FALSE(*nothing);
}

TEST_F(S3ClientTest, ABodyThatWasDamagedOnTheWayIsNotKept) {
    http::Request request;
    request.method = "PUT";
    request.url = s3_url(options.place, key("damaged"));
    request.body = "the bytes";
    aws::sign(
        request,
        {"us-east-1", "s3"},
        {server.access_key_id, server.secret_access_key},
        clock.wall(),
        sha256_hex(request.body)
    );
    request.body[4] ^= 1;
    const auto answer = kit.value().http.call(ctx, request);
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->status, 400) << answer->body;
    const auto nothing = s3().find(ctx, key("damaged"));
    ASSERT_TRUE(nothing);
    EXPECT_FALSE(*nothing);
}

TEST_F(S3ClientTest, ABucketMayStandInTheHostsName) {
    const std::string port = server.endpoint.substr(server.endpoint.rfind(':') + 1);
    S3Options style = options;
    style.place.endpoint = "http://s3.test:" + port;
    style.place.style = S3Place::Style::host;
    http::ClientOptions to_here;
    to_here.resolve = [&] { return server.bucket + ".s3.test:" + port + ":127.0.0.1"; };
    S3Kit host(style, {server.access_key_id, server.secret_access_key}, to_here);
    ASSERT_EQ(problem_of(host.client.put(ctx, key("h/\xC3\xA9 x"), "by its name")), "");
    EXPECT_EQ(host.client.get(ctx, key("h/\xC3\xA9 x"), 100), "by its name");
    const auto page = host.client.list(ctx, key("h/"));
    ASSERT_TRUE(page) << page.error().message;
    EXPECT_EQ(page->objects.size(), 1U);
    EXPECT_EQ(s3().get(ctx, key("h/\xC3\xA9 x"), 100), "by its name");
}

}  // namespace
}  // namespace lab::storage
