#include "platform/crypto/sha384.h"

#include "base/text.h"

#include <gtest/gtest.h>

namespace lab {
namespace {

// FIPS 180-4, example "abc"; of nothing: NIST's CAVP, SHA384ShortMsg, Len = 0.
TEST(Sha384, AgreesWithTheStandard) {
    EXPECT_EQ(
        to_hex(sha384("abc")),
        "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed"
        "8086072ba1e7cc2358baeca134c825a7"
    );
    EXPECT_EQ(
        to_hex(sha384("")),
        "38b060a751ac96384cd9327eb1b1e36a21fdb71114be07434c0cc7bf63f6e1da"
        "274edebfe76f65fbd51ad2f14898b95b"
    );
}

}  // namespace
}  // namespace lab
