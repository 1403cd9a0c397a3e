#pragma once
#include "base/result.h"
#include "service/impl/hypothesis.h"
#include "service/impl/observations.h"

namespace lab::service {

/// The data of each dependent variable, from a body that fits hypothesis_schema(). Roles and types
/// of the variables decide; without variables the only value of the observations is the outcome.
/// Problems, each with its path, are appended.
std::vector<TestData> read_test_data(const Json& body, std::vector<Detail>& problems);

}  // namespace lab::service
