#pragma once
#include "platform/json/json.h"

#include <nlohmann/json.hpp>

#include <initializer_list>
#include <string_view>
#include <utility>
#include <vector>

/// The words that the schemas of answers are made of (components.cpp).
namespace lab::api {

using Members = std::vector<std::pair<std::string_view, Json>>;
using Names = std::initializer_list<std::string_view>;

Json typed(std::string_view type);
Json text();
Json uuid();
Json time();
Json count();
Json number();
Json boolean();
/// An amount of US dollars, exact.
Json money();
Json anything();
Json list_of(Json items);
Json map_of(Json values);
/// Whatever its members are.
Json free_object();
/// To a component.
Json schema_ref(std::string_view name);
Json word(Names words);
Json or_null(Json schema);
/// Members that are always there, and those that may be missing; no others.
Json object(const Members& always, const Members& sometimes = {});

/// Those of evaluations and of the figures of their runs.
void add_evaluation_schemas(Json& out);
void add_analytics_schemas(Json& out);

}  // namespace lab::api
