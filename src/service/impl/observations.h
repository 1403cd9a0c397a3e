#pragma once
#include "base/result.h"
#include "platform/json/json.h"

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace lab::service {

/// Rows of a request, weights spelled out: an observation of weight 3 is there three times.
/// Borrows from the body.
struct Observations {
    struct Row {
        const Json* values;
        std::string_view id;     ///< empty = none
        std::string_view group;  ///< empty = none
        std::size_t at;          ///< place in the request
    };
    std::vector<Row> rows;
    std::size_t given = 0;  ///< observations in the request
    bool weighted = false;  ///< some weight is not 1
};

/// Schema of an observation and of their list, shared by the analyses.
Json observations_schema();

/// `at`: path of the list. Errors (appended to `problems`): weights that are no whole numbers, more
/// rows than kObservationsMax.
Observations read_observations(
    const Json& list, std::string_view at, std::vector<Detail>& problems
);

/// Names of values, in order of appearance.
std::vector<std::string> value_names(const Observations& data);

/// One value of every row as a number; NaN = missing (null or absent). true is 1, false is 0.
/// Text is a problem.
std::vector<double> numeric_column(
    const Observations& data,
    std::string_view name,
    std::string_view at,
    std::vector<Detail>& problems
);
/// One value of every row as the number of its level, levels in order of appearance; NaN =
/// missing. More than kLevelsMax levels are a problem.
struct LevelColumn {
    std::vector<double> codes;
    std::vector<std::string> levels;
};
inline constexpr std::size_t kLevelsMax = 100;
LevelColumn level_column(
    const Observations& data,
    std::string_view name,
    std::string_view at,
    std::vector<Detail>& problems
);

}  // namespace lab::service
