#pragma once
#include "storage/objects/object_store.h"

#include <memory>

namespace lab::storage {

/// The same place, whose uses are spans below what their thread works on.
std::shared_ptr<ObjectStore> trace_object_store(std::shared_ptr<ObjectStore> store);

}  // namespace lab::storage
