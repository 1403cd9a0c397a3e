// The functions of nlohmann's JSON, made once for the whole program: cmake/pch.h declares them.
#include <nlohmann/json.hpp>

template class nlohmann::basic_json<>;
template class nlohmann::basic_json<nlohmann::ordered_map>;
