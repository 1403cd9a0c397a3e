#include "platform/aws/impl/sources.h"

#include <gtest/gtest.h>

namespace lab::aws {
namespace {

constexpr std::string_view kFile = R"(# a comment
[default]
aws_access_key_id = AKIDDEFAULT
aws_secret_access_key=abc/def+=

[ lab ]
aws_access_key_id = AKIDLAB
; another
aws_secret_access_key = s3cr3t
aws_session_token =  t/o==
s3 =
  addressing_style = path
  aws_access_key_id = NOTTHISONE
region = eu-west-1

[half]
aws_access_key_id = AKIDHALF
[sso]
sso_session = x
[process]
credential_process = /bin/true
)";

TEST(ProfileFile, AProfileIsFoundByItsName) {
    const auto usual = read_profile(kFile, "default");
    ASSERT_TRUE(usual && *usual);
    EXPECT_EQ((*usual)->access_key_id, "AKIDDEFAULT");
    EXPECT_EQ((*usual)->secret_access_key, "abc/def+=");
    EXPECT_EQ((*usual)->session_token, "");
    const auto lab = read_profile(kFile, "lab");
    ASSERT_TRUE(lab && *lab);
    EXPECT_EQ((*lab)->access_key_id, "AKIDLAB");
    EXPECT_EQ((*lab)->secret_access_key, "s3cr3t");
    EXPECT_EQ((*lab)->session_token, "t/o==");
    const auto none = read_profile(kFile, "other");
    ASSERT_TRUE(none);
    EXPECT_FALSE(*none);
}

TEST(ProfileFile, WhatCannotBeUsedIsSaidByName) {
    const auto problem = [](std::string_view profile) {
        const auto read = read_profile(kFile, profile);
        EXPECT_FALSE(read) << profile;
        return read ? "" : read.error().message;
    };
    EXPECT_EQ(problem("half"), "the profile half lacks aws_access_key_id or aws_secret_access_key");
    EXPECT_EQ(
        problem("sso"),
        "the profile sso uses sso_session, which is not supported: give it aws_access_key_id and "
        "aws_secret_access_key"
    );
    EXPECT_NE(problem("process").find("credential_process"), std::string::npos);
    for (const std::string_view odd : {"[", "[]", "=", "[a\n=b", "\xff[default]"}) {
        const auto read = read_profile(odd, "default");
        EXPECT_TRUE(!read || !*read) << odd;
    }
}

}  // namespace
}  // namespace lab::aws
