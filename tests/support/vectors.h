#pragma once
#include <nlohmann/json.hpp>

#include <functional>
#include <string>

namespace lab::test {

/// Reads tests/vectors/<name>.json (values of independent packages, see its README).
nlohmann::json load_vectors(const std::string& name);

/// Runs `check` for every case and prints cases, passes and the worst error of the file.
/// A case passes when every number it compares is within the file's tolerance.
class VectorCheck {
  public:
    VectorCheck(std::string name, double abs_tolerance, double rel_tolerance)
        : name_(std::move(name)), abs_(abs_tolerance), rel_(rel_tolerance) {}
    ~VectorCheck();
    VectorCheck(const VectorCheck&) = delete;
    VectorCheck& operator=(const VectorCheck&) = delete;
    void begin(const std::string& case_id);
    /// |got - want| <= abs + rel * |want|; `want` may be "NaN", "Infinity", "-Infinity".
    void number(const std::string& what, double got, const nlohmann::json& want);
    void equal(const std::string& what, const nlohmann::json& got, const nlohmann::json& want);

  private:
    void fail(const std::string& what, const std::string& got, const std::string& want);
    std::string name_;
    double abs_;
    double rel_;
    std::string case_id_;
    bool case_failed_ = false;
    int cases_ = 0;
    int passed_ = 0;
    int shown_ = 0;
    double worst_ = 0;
};

/// For each case of tests/vectors/<name>.json: check(input, params, expected, recorder).
void for_each_vector(
    const std::string& name,
    const std::function<void(
        const nlohmann::json& input,
        const nlohmann::json& params,
        const nlohmann::json& expected,
        VectorCheck& check
    )>& body
);

}  // namespace lab::test
