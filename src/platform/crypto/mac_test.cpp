#include "platform/crypto/mac.h"

#include "base/text.h"

#include <gtest/gtest.h>

namespace lab {
namespace {

struct Vector {
    std::string key;
    std::string data;
    const char* digest;
};

// RFC 4231, test cases 1, 2, 3, 6 and 7.
TEST(HmacSha256, AgreesWithTheStandard) {
    const Vector vectors[] = {
        {std::string(20, '\x0b'),
         "Hi There",
         "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
        {"Jefe",
         "what do ya want for nothing?",
         "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
        {std::string(20, '\xaa'),
         std::string(50, '\xdd'),
         "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"},
        {std::string(131, '\xaa'),
         "Test Using Larger Than Block-Size Key - Hash Key First",
         "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
        {std::string(131, '\xaa'),
         "This is a test using a larger than block-size key and a larger than block-size data. "
         "The key needs to be hashed before being used by the HMAC algorithm.",
         "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"},
    };
    for (const Vector& vector : vectors) {
        EXPECT_EQ(to_hex(hmac_sha256(vector.key, vector.data)), vector.digest);
    }
}

// python3 -c 'import hmac; print(hmac.new(b"", b"", "sha256").hexdigest())'
TEST(HmacSha256, AnEmptyKeyIsAKeyAndNotTheOneBefore) {
    const std::string before = hmac_sha256("another key", "");
    EXPECT_EQ(
        to_hex(hmac_sha256("", "")),
        "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad"
    );
    EXPECT_NE(hmac_sha256("", ""), before);
}

TEST(ConstantTimeEqual, SaysWhatOrdinaryComparisonSays) {
    EXPECT_TRUE(constant_time_equal("", ""));
    EXPECT_TRUE(constant_time_equal("same", "same"));
    EXPECT_FALSE(constant_time_equal("same", "samf"));
    EXPECT_FALSE(constant_time_equal("same", "tame"));
    EXPECT_FALSE(constant_time_equal("same", "sam"));
    EXPECT_FALSE(constant_time_equal("same", "same "));
    EXPECT_TRUE(constant_time_equal(std::string_view("a\0b", 3), std::string_view("a\0b", 3)));
    EXPECT_FALSE(constant_time_equal(std::string_view("a\0b", 3), std::string_view("a\0c", 3)));
}

}  // namespace
}  // namespace lab
