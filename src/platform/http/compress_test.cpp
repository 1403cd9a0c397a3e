#include "platform/http/compress.h"

#include <brotli/decode.h>
#include <gtest/gtest.h>
#include <zlib.h>
#include <zstd.h>

namespace lab::http {
namespace {

TEST(Coding, IsTheOneTheClientLikesBest) {
    EXPECT_EQ(choose_coding("gzip"), Coding::gzip);
    EXPECT_EQ(choose_coding("gzip, br, zstd"), Coding::zstd);
    EXPECT_EQ(choose_coding("br;q=0.9, gzip;q=1.0, zstd;q=0.5"), Coding::gzip);
    EXPECT_EQ(choose_coding("*"), Coding::zstd);
    EXPECT_EQ(choose_coding("zstd;q=0, *"), Coding::brotli);
    EXPECT_EQ(choose_coding("X-GZIP ; Q=0.2"), Coding::gzip);
    for (const char* none :
         {"", "identity", "gzip;q=0", "gzip;q=7", "gzip;q=x", "deflate", ",,;"}) {
        EXPECT_FALSE(choose_coding(none)) << none;
    }
}

TEST(Coding, LeavesWhatIsPackedAlone) {
    EXPECT_TRUE(is_compressible("application/json"));
    EXPECT_TRUE(is_compressible("text/html; charset=utf-8"));
    EXPECT_TRUE(is_compressible("image/svg+xml"));
    EXPECT_FALSE(is_compressible("image/png"));
    EXPECT_FALSE(is_compressible("Application/PDF"));
}

class Compressed : public testing::TestWithParam<std::string> {};

TEST_P(Compressed, ReadsBackWithTheLibrarysOwnReader) {
    const std::string& text = GetParam();
    std::string out(text.size() + 1, '?');

    const std::string zipped = compress(Coding::gzip, text).value();
    z_stream stream{};
    ASSERT_EQ(inflateInit2(&stream, 15 + 16), Z_OK);
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(zipped.data()));
    stream.avail_in = static_cast<uInt>(zipped.size());
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    stream.avail_out = static_cast<uInt>(out.size());
    EXPECT_EQ(inflate(&stream, Z_FINISH), Z_STREAM_END);
    EXPECT_EQ(out.substr(0, stream.total_out), text);
    inflateEnd(&stream);

    const std::string brotli = compress(Coding::brotli, text).value();
    std::size_t size = out.size();
    EXPECT_EQ(
        BrotliDecoderDecompress(
            brotli.size(),
            reinterpret_cast<const std::uint8_t*>(brotli.data()),
            &size,
            reinterpret_cast<std::uint8_t*>(out.data())
        ),
        BROTLI_DECODER_RESULT_SUCCESS
    );
    EXPECT_EQ(out.substr(0, size), text);

    const std::string zstd = compress(Coding::zstd, text).value();
    EXPECT_EQ(ZSTD_decompress(out.data(), out.size(), zstd.data(), zstd.size()), text.size());
    EXPECT_EQ(out.substr(0, text.size()), text);
    if (text.size() > 1000) {
        EXPECT_LT(zipped.size() * 5, text.size());
        EXPECT_LT(brotli.size() * 5, text.size());
        EXPECT_LT(zstd.size() * 5, text.size());
    }
}

INSTANTIATE_TEST_SUITE_P(
    Texts, Compressed, testing::Values("", "a", std::string(100'000, 'x'), "{\"data\":[1,2,3]}")
);

}  // namespace
}  // namespace lab::http
