#include "platform/crypto/base64url.h"

#include "base/rng.h"

#include <gtest/gtest.h>

namespace lab {
namespace {

// RFC 4648 section 10 without the padding; the last two use the letters of the URL alphabet.
TEST(Base64Url, AgreesWithTheStandard) {
    const std::pair<std::string, std::string> vectors[] = {
        {"", ""},
        {"f", "Zg"},
        {"fo", "Zm8"},
        {"foo", "Zm9v"},
        {"foob", "Zm9vYg"},
        {"fooba", "Zm9vYmE"},
        {"foobar", "Zm9vYmFy"},
        {"\xfb\xff\xbf", "-_-_"},
        {std::string("\0\0", 2), "AAA"},
    };
    for (const auto& [bytes, text] : vectors) {
        EXPECT_EQ(base64url_encode(bytes), text);
        EXPECT_EQ(base64url_decode(text), bytes) << text;
    }
}

TEST(Base64Url, RefusesEveryOtherSpelling) {
    for (const char* text : {
             "Zg==",          // padding
             "Zg=",           //
             "Z",             // no byte has six bits
             "Zm9vZ",         //
             "Zh",            // "Zg" with a stray bit
             "Zm9",           // "Zm8" with a stray bit
             "+/+/",          // the other alphabet
             "Zm 9v",         //
             "Zm9v\n",        //
             "Zm9v\xff",      //
             "Zm9v\xc3\xa9",  //
             "Zm9v.",
         }) {
        EXPECT_FALSE(base64url_decode(text)) << text;
    }
    EXPECT_FALSE(base64url_decode(std::string_view("Zg\0\0", 4)));
}

TEST(Base64Url, OfTheTextsOfOneLengthExactlyThoseThatEncodingWritesAreRead) {
    // All 64^2 texts of two letters: 256 of them are a byte.
    int read = 0;
    const std::string letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    for (const char a : letters) {
        for (const char b : letters) {
            const std::string text{a, b};
            if (const auto bytes = base64url_decode(text)) {
                EXPECT_EQ(base64url_encode(*bytes), text);
                ++read;
            }
        }
    }
    EXPECT_EQ(read, 256);
}

TEST(Base64Url, ReadsBackWhatItWrote) {
    Rng rng(7);
    for (std::size_t length = 0; length < 100; ++length) {
        std::string bytes(length, '\0');
        for (char& c : bytes) {
            c = static_cast<char>(rng.below(256));
        }
        EXPECT_EQ(base64url_decode(base64url_encode(bytes)), bytes);
    }
}

}  // namespace
}  // namespace lab
