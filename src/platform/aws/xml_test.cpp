#include "platform/aws/xml.h"

#include <gtest/gtest.h>

namespace lab::aws {
namespace {

TEST(Xml, AnAnswerIsReadAsATree) {
    const auto read = parse_xml(
        R"(<?xml version="1.0" encoding="UTF-8"?>
<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>b</Name>
<Contents><Key>a &amp; b/&#xE9;&lt;</Key><Size>12</Size></Contents><Contents><Key><![CDATA[<c>]]></Key></Contents>
</ListBucketResult>)"
    );
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(read->name, "ListBucketResult");
    EXPECT_EQ(read->text_of("Name"), "b");
    ASSERT_EQ(read->children.size(), 3U);
    EXPECT_EQ(read->children[1].text_of("Key"), "a & b/\xC3\xA9<");
    EXPECT_EQ(read->children[1].text_of("Size"), "12");
    EXPECT_EQ(read->children[2].text_of("Key"), "<c>");
    EXPECT_EQ(read->text_of("Nothing"), "");
    EXPECT_EQ(read->find("Nothing"), nullptr);
}

std::string problem_of(std::string_view text) {
    const auto read = parse_xml(text);
    EXPECT_FALSE(read) << text.substr(0, 100);
    if (read) {
        return "";
    }
    EXPECT_EQ(read.error().code, Code::upstream_error);
    return read.error().message;
}

TEST(Xml, WhatIsNotWellFormedIsRefused) {
    for (const std::string_view text :
         {"", "<html>no end", "<a></b>", "<a></a><b></b>", "{}", "<a>\xff</a>", "<a>&lol;</a>"}) {
        EXPECT_TRUE(problem_of(text).starts_with("the answer is not the XML it should be: "));
    }
}

TEST(Xml, EntitiesCannotBeMade) {
    const std::string bomb =
        R"(<!DOCTYPE a [<!ENTITY b "bbbbbbbbbb"><!ENTITY c "&b;&b;&b;&b;">]><a>&c;</a>)";
    EXPECT_TRUE(problem_of(bomb).ends_with("it has a document type"));
    EXPECT_TRUE(problem_of(R"(<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>)")
                    .ends_with("it has a document type"));
}

TEST(Xml, DepthAndNumberAreBounded) {
    const auto nested = [](int depth) {
        std::string out;
        for (int i = 0; i < depth; ++i) {
            out += "<a>";
        }
        for (int i = 0; i < depth; ++i) {
            out += "</a>";
        }
        return out;
    };
    EXPECT_TRUE(parse_xml(nested(16)));
    EXPECT_TRUE(problem_of(nested(17)).ends_with("too many elements"));
    std::string wide = "<a>";
    for (int i = 0; i < 50'000; ++i) {
        wide += "<b/>";
    }
    EXPECT_TRUE(problem_of(wide + "</a>").ends_with("too many elements"));
}

TEST(Xml, WhatIsWrittenIsReadBack) {
    const std::string odd = "a<b>&\"c\"\t\n\xC3\xA9";
    const auto read = parse_xml("<a>" + xml_escape(odd) + "</a>");
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(read->text, odd);
    EXPECT_EQ(xml_escape(std::string("a\x01z", 3)), "az");
}

}  // namespace
}  // namespace lab::aws
