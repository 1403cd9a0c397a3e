#pragma once
#include "api/route.h"

#include <string_view>

namespace lab::api {

/// Whether an Accept header leaves room for a media type, such as "application/json": of the ranges
/// that hold it the most specific one decides, and q=0 refuses. An empty header takes everything;
/// so does one that cannot be read. Source: RFC 9110 section 12.5.1.
bool accepts(std::string_view accept, std::string_view media_type);

/// Whether the types of a route's answers are known, so that an Accept without any of them is
/// answered with 406. Of probes, redirections, stored files and answers without a body they are
/// not.
bool has_known_types(const Route& route);

/// Whether the header leaves room for one of the types a route with known ones answers with.
bool accepts_any_of(std::string_view accept, const Route& route);

}  // namespace lab::api
