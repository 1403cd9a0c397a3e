#pragma once
#include "service/audit.h"

namespace lab::service {

/// An event as the store keeps it.
struct AuditRecord {
    storage::AuditRow row;
    storage::AuditWords words;
};

/// `at`: when it happened. created_at is left to whoever writes it.
AuditRecord audit_record(const AuditEvent& event, std::string id, WallTime at);

}  // namespace lab::service
