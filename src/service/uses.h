#pragma once
#include "service/request.h"
#include "storage/store/resources.h"

namespace lab::service {

/// For Noun::may_remove: whether the config of an experiment, or of a model or an evaluation, names
/// it. Errors: conflict, with the number of those that do and, as `used_by`, the ids of those the
/// caller may see.
Status refuse_while_used(
    const Request& request, std::string_view noun, const storage::Resource& one
);

}  // namespace lab::service
