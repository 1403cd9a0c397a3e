#include "service/impl/experiment_check.h"

namespace lab::service {

Problems::Problems(std::vector<Detail> parsed) : unread_(parsed) {
    for (Detail& detail : parsed) {
        if (seen_.emplace(detail.field, detail.message).second) {
            all_.push_back(std::move(detail));
        }
    }
}

void Problems::add(std::string path, std::string message) {
    if (unread_.covers(path) || !seen_.emplace(path, message).second) {
        return;
    }
    places_.insert(path);
    all_.push_back({std::move(path), std::move(message)});
}

}  // namespace lab::service
