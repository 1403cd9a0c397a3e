#include "api/lists.h"

#include <gtest/gtest.h>

namespace lab::api {
namespace {

TEST(CsvLine, QuotesWhatNeedsIt) {
    EXPECT_EQ(csv_line({"a", "", "b c"}), "a,,b c\r\n");
    EXPECT_EQ(csv_line({"", "x"}), ",x\r\n");
    EXPECT_EQ(csv_line({""}), "\"\"\r\n") << "an empty line would be no row";
    EXPECT_EQ(csv_line({"\xEF\xBB\xBFx"}), "\"\xEF\xBB\xBFx\"\r\n") << "or it goes as a mark";
    EXPECT_EQ(
        csv_line({"say \"hi\"", "a,b", "1\n2", " x"}),
        "\"say \"\"hi\"\"\",\"a,b\",\"1\n2\",\" x\"\r\n"
    );
}

TEST(CsvLine, MakesNoFormulas) {
    EXPECT_EQ(csv_line({"=1+1", "+cmd", "@SUM(A1)", "-x"}), "'=1+1,'+cmd,'@SUM(A1),'-x\r\n");
    EXPECT_EQ(csv_line({"-1.5", "1e-9", "-3"}), "-1.5,1e-9,-3\r\n");
}

}  // namespace
}  // namespace lab::api
