#pragma once
#include "base/error.h"

#include <expected>
#include <type_traits>
#include <utility>

namespace lab {

/// A value or an Error. Use LAB_TRY and LAB_CHECK to pass errors on.
template <class T>
class [[nodiscard]] Result : public std::expected<T, Error> {
  public:
    using Base = std::expected<T, Error>;
    using Base::Base;
    Result(Error error) : Base(std::unexpected(std::move(error))) {}
    Result(Base base) : Base(std::move(base)) {}
};

using Status = Result<void>;

inline Status ok() { return {}; }

}  // namespace lab

#define LAB_CONCAT_(a, b) a##b
#define LAB_CONCAT(a, b) LAB_CONCAT_(a, b)

/// LAB_TRY(auto row, read_row()); declares `row` or returns the error. A statement, not an
/// expression.
#define LAB_TRY(declaration, ...) LAB_TRY_(LAB_CONCAT(lab_try_, __LINE__), declaration, __VA_ARGS__)
#define LAB_TRY_(temporary, declaration, ...)              \
    auto temporary = (__VA_ARGS__);                        \
    if (!temporary) {                                      \
        return ::lab::Error(std::move(temporary).error()); \
    }                                                      \
    declaration = *std::move(temporary)

/// LAB_CHECK(write_row()); returns the error, or goes on.
#define LAB_CHECK(...)                                         \
    do {                                                       \
        if (auto lab_check = (__VA_ARGS__); !lab_check) {      \
            return ::lab::Error(std::move(lab_check).error()); \
        }                                                      \
    } while (false)
