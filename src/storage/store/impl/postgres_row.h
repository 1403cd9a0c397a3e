#pragma once
#include "storage/store/session.h"

#include <deque>
#include <string>

struct pg_result;

namespace lab::storage {

/// A row of a result in binary form.
class PostgresRow final : public Row {
  public:
    explicit PostgresRow(const pg_result* result, int row = 0) : result_(result), row_(row) {}
    bool is_null(int column) const override;
    std::int64_t integer(int column) const override;
    double real(int column) const override;
    std::string_view text(int column) const override;
    std::string_view blob(int column) const override;

  private:
    std::string_view bytes_of(int column) const;
    const pg_result* result_;
    int row_;
    mutable std::deque<std::string> texts_;  ///< of numbers that were asked for as text
};

/// How many rows a statement changed; none by a SELECT.
std::int64_t changed_rows(pg_result* result);

/// Errors: internal, when a column has a type that rows do not speak.
Status check_columns(const pg_result* result, std::string_view doing);

}  // namespace lab::storage
