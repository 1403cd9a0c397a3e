#include "support/vectors.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <fstream>
#include <limits>

namespace lab::test {
namespace {
double to_double(const nlohmann::json& value) {
    if (!value.is_string()) {
        return value.is_null() ? std::numeric_limits<double>::quiet_NaN() : value.get<double>();
    }
    const auto text = value.get<std::string>();
    if (text == "NaN") {
        return std::numeric_limits<double>::quiet_NaN();
    }
    const double infinity = std::numeric_limits<double>::infinity();
    return text == "Infinity" ? infinity : -infinity;
}
}  // namespace

nlohmann::json load_vectors(const std::string& name) {
    std::ifstream file(std::string(LAB_SOURCE_DIR) + "/tests/vectors/" + name + ".json");
    EXPECT_TRUE(file.good()) << "no vectors " << name;
    return nlohmann::json::parse(file);
}

VectorCheck::~VectorCheck() {
    passed_ += cases_ > 0 && !case_failed_ ? 1 : 0;
    std::printf(
        "[ vectors  ] %-24s %4d cases, %4d passed, worst error %.3g\n",
        name_.c_str(),
        cases_,
        passed_,
        worst_
    );
    EXPECT_GT(cases_, 0) << name_;
    EXPECT_EQ(cases_, passed_) << name_;
}

void VectorCheck::begin(const std::string& case_id) {
    passed_ += cases_ > 0 && !case_failed_ ? 1 : 0;
    ++cases_;
    case_failed_ = false;
    case_id_ = case_id;
}

void VectorCheck::number(const std::string& what, double got, const nlohmann::json& want_json) {
    const double want = to_double(want_json);
    if (std::isnan(want) || std::isinf(want)) {
        const bool same = std::isnan(want) ? std::isnan(got) : got == want;
        if (!same) {
            fail(what, std::to_string(got), want_json.dump());
        }
        return;
    }
    const double error = std::abs(got - want);
    if (!(error <= abs_ + rel_ * std::abs(want))) {
        char text[64];
        std::snprintf(text, sizeof text, "%.17g", got);
        fail(what, text, want_json.dump());
        return;
    }
    worst_ = std::max(worst_, error);
}

void VectorCheck::equal(
    const std::string& what, const nlohmann::json& got, const nlohmann::json& want
) {
    if (got != want) {
        fail(what, got.dump(), want.dump());
    }
}

void VectorCheck::fail(const std::string& what, const std::string& got, const std::string& want) {
    case_failed_ = true;
    if (++shown_ <= 10) {
        ADD_FAILURE() << case_id_ << " " << what << ": got " << got << ", want " << want;
    }
}

void for_each_vector(
    const std::string& name,
    const std::function<
        void(const nlohmann::json&, const nlohmann::json&, const nlohmann::json&, VectorCheck&)>&
        body
) {
    const nlohmann::json file = load_vectors(name);
    const auto& tolerance = file.at("tolerance");
    VectorCheck check(name, tolerance.at("abs").get<double>(), tolerance.at("rel").get<double>());
    for (const auto& one : file.at("cases")) {
        check.begin(one.at("id").get<std::string>());
        body(one.at("input"), one.at("params"), one.at("expected"), check);
    }
}

}  // namespace lab::test
