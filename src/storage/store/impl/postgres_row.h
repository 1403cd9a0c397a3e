#pragma once
#include "storage/store/session.h"

#include <deque>
#include <string>

struct pg_result;

namespace lab::storage {

/// The first row of a result in binary form.
class PostgresRow final : public Row {
  public:
    explicit PostgresRow(const pg_result* result) : result_(result) {}
    bool is_null(int column) const override;
    std::int64_t integer(int column) const override;
    double real(int column) const override;
    std::string_view text(int column) const override;
    std::string_view blob(int column) const override;

  private:
    const pg_result* result_;
    mutable std::deque<std::string> texts_;  ///< of numbers that were asked for as text
};

/// Errors: internal, when a column has a type that rows do not speak.
Status check_columns(const pg_result* result, std::string_view doing);

}  // namespace lab::storage
