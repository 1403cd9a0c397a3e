#pragma once
#include "base/ctx.h"
#include "report/model.h"
#include "service/experiment.h"
#include "storage/store/session.h"

#include <vector>

namespace lab::service {

/// Reads the items of one or several runs back from the store, a few hundred at a time.
class StoredItems final : public report::ItemSource {
  public:
    struct Part {
        std::int64_t run = 0;
        const Experiment* experiment = nullptr;
        storage::Session* session = nullptr;
        /// Of each metric of the report, the slot of this run that gives it.
        std::vector<std::size_t> slots;
    };
    StoredItems(Ctx ctx, std::vector<Part> parts)
        : ctx_(std::move(ctx)), parts_(std::move(parts)) {}
    std::int64_t count() const override;
    Status each(const std::function<Status(const report::ItemRow&)>& visit) const override;

  private:
    Status read_block(std::int64_t begin, std::int64_t end, std::vector<report::ItemRow>& rows)
        const;

    Ctx ctx_;
    std::vector<Part> parts_;
};

}  // namespace lab::service
