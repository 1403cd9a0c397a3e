#include "platform/crypto/password.h"

#include <gtest/gtest.h>

#include <ctime>
#include <limits>

namespace lab {
namespace {

constexpr PasswordCost kCheap{.passes = 1, .memory_bytes = 64ULL << 10};

TEST(Password, OfAHashFitsAndNoOther) {
    const auto hasher = PasswordHasher::create(kCheap);
    ASSERT_TRUE(hasher);
    const auto stored = hasher->hash("correct horse");
    ASSERT_TRUE(stored);
    EXPECT_TRUE(stored->starts_with("$argon2id$v=19$m=64,t=1,p=1$")) << *stored;
    EXPECT_EQ(stored->find("horse"), std::string::npos);
    EXPECT_TRUE(hasher->verify(*stored, "correct horse"));
    EXPECT_FALSE(hasher->verify(*stored, "correct horsf"));
    EXPECT_FALSE(hasher->verify(*stored, "correct horse "));
    EXPECT_FALSE(hasher->verify(*stored, ""));
    EXPECT_FALSE(hasher->verify(*stored, std::string("correct horse\0", 14)));
}

TEST(Password, TwiceHashedHasTwoHashes) {
    const auto hasher = PasswordHasher::create(kCheap);
    EXPECT_NE(*hasher->hash("same"), *hasher->hash("same"));
}

// Made by another implementation: argon2-cffi 25.1.0 (the reference library),
// hash_secret("pässword\n", b"0123456789abcdef", 2, 256, 1, 32, Type.ID)
TEST(Password, HashesOfOtherImplementationsAreRead) {
    const auto hasher = PasswordHasher::create(kCheap);
    const std::string stored =
        "$argon2id$v=19$m=256,t=2,p=1$MDEyMzQ1Njc4OWFiY2RlZg$KhhH/PdH1+Q2sKoQcsyTx0tcG/"
        "QjSAReuSpC4Ra7jwM";
    EXPECT_TRUE(hasher->verify(stored, "p\xc3\xa4ssword\n"));
    EXPECT_FALSE(hasher->verify(stored, "password\n"));
    EXPECT_TRUE(hasher->needs_rehash(stored));
}

TEST(Password, OfNobodyFitsNeverAndCostsTheSame) {
    // Of this thread's processor alone: who else wants it does not count.
    const auto spent = [] {
        std::timespec now{};
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
        return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
    };
    const auto hasher = PasswordHasher::create({.passes = 3, .memory_bytes = 8ULL << 20});
    const auto stored = hasher->hash("a password");
    const auto best_of = [&](std::string_view hash, std::string_view password) {
        double best = std::numeric_limits<double>::infinity();
        for (int i = 0; i < 5; ++i) {
            const double start = spent();
            EXPECT_FALSE(hasher->verify(hash, password));
            best = std::min(best, spent() - start);
        }
        return best;
    };
    const double known = best_of(*stored, "another password");
    const double too_long(best_of(*stored, std::string(100'000, 'x')));
    for (const double unknown : {best_of("", "another password"), too_long}) {
        EXPECT_GT(unknown, known * 0.5);
        EXPECT_LT(unknown, known * 2);
    }
}

TEST(Password, TextThatIsNoHashFitsNothing) {
    const auto hasher = PasswordHasher::create(kCheap);
    const std::string good = *hasher->hash("x");
    for (const std::string& stored : {
             std::string("x"),
             good.substr(0, good.size() - 1),
             good.substr(0, good.rfind('$')),
             good + "$",
             std::string("$argon2i$v=19$") + good.substr(15),
             std::string("$argon2id$v=19$m=64,t=1,p=1$$"),
             // Terabytes of memory, years of time: not even tried.
             std::string("$argon2id$v=19$m=4294967295,t=1,p=1$") + good.substr(28),
             std::string("$argon2id$v=19$m=64,t=4294967295,p=1$") + good.substr(28),
             std::string("$argon2id$v=19$m=99999999999999999999,t=1,p=1$") + good.substr(28),
             std::string("$2b$12$abcdefghijklmnopqrstuuJ1yGvPLvoNkZOsKuY0NrZ0cJQy3dXW6"),
             std::string(1000, '$'),
         }) {
        EXPECT_FALSE(hasher->verify(stored, "x")) << stored;
        EXPECT_FALSE(hasher->verify(stored, "")) << stored;
    }
    EXPECT_TRUE(hasher->verify(good, "x"));
}

TEST(Password, IsHashedAgainWhenTheCostHasChanged) {
    const auto cheap = PasswordHasher::create(kCheap);
    const auto dear = PasswordHasher::create({.passes = 2, .memory_bytes = 128ULL << 10});
    const std::string stored = *cheap->hash("x");
    EXPECT_FALSE(cheap->needs_rehash(stored));
    EXPECT_TRUE(dear->needs_rehash(stored));
    EXPECT_TRUE(dear->verify(stored, "x"));
    EXPECT_FALSE(dear->needs_rehash(*dear->hash("x")));
    EXPECT_TRUE(cheap->needs_rehash("plain text"));
}

TEST(Password, HasBounds) {
    const auto hasher = PasswordHasher::create(kCheap);
    EXPECT_EQ(hasher->hash("").error().code, Code::validation);
    EXPECT_TRUE(hasher->hash(std::string(1024, 'x')));
    EXPECT_EQ(hasher->hash(std::string(1025, 'x')).error().code, Code::validation);
    EXPECT_FALSE(PasswordHasher::create({.passes = 0, .memory_bytes = 64ULL << 10}));
    EXPECT_FALSE(PasswordHasher::create({.passes = 1, .memory_bytes = 1000}));
    EXPECT_FALSE(PasswordHasher::create({.passes = 1, .memory_bytes = 2ULL << 30}));
}

TEST(Password, TheDefaultIsWorthItsName) {
    const auto hasher = PasswordHasher::create();
    ASSERT_TRUE(hasher);
    EXPECT_TRUE(hasher->hash("x")->starts_with("$argon2id$v=19$m=65536,t=2,p=1$"));
}

}  // namespace
}  // namespace lab
