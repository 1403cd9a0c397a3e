#include "storage/objects/dataset_import.h"

#include "storage/objects/impl/row_index.h"
#include "storage/objects/impl/temp_file.h"

namespace lab::storage {

struct DatasetWriter::Impl {
    ObjectFolder folder;
    ObjectFolder::Writer rows;
    TempFile index;
    RowIndexEncoder encoder;
    std::string piece;
};

DatasetWriter::DatasetWriter(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
DatasetWriter::DatasetWriter(DatasetWriter&&) noexcept = default;
DatasetWriter::~DatasetWriter() = default;

Result<DatasetWriter> DatasetWriter::create(const ObjectFolder& folder) {
    LAB_TRY(auto rows, folder.create());
    LAB_TRY(auto index, TempFile::create(folder.temporary_folder()));
    return DatasetWriter(std::make_unique<Impl>(
        folder, std::move(rows), std::move(index), RowIndexEncoder(), std::string()
    ));
}

Status DatasetWriter::add(std::string_view row) {
    LAB_ASSERT(impl_ != nullptr, "rows are added before the commit");
    if (row.empty() || row.find('\n') != std::string_view::npos) {
        return Error(Code::validation, "a canonical row is one line of text");
    }
    LAB_CHECK(impl_->rows.write(row));
    LAB_CHECK(impl_->rows.write("\n"));
    impl_->piece.clear();
    impl_->encoder.add(row.size() + 1, impl_->piece);
    return impl_->index.write(impl_->piece);
}

Result<ImportedRows> DatasetWriter::commit() {
    LAB_ASSERT(impl_ != nullptr, "an import is committed once");
    const std::unique_ptr<Impl> impl = std::move(impl_);
    impl->piece.clear();
    impl->encoder.finish(impl->piece);
    LAB_CHECK(impl->index.write(impl->piece));
    ImportedRows out;
    out.rows = impl->encoder.rows();
    out.bytes = impl->encoder.bytes();
    LAB_TRY(out.hash, impl->rows.commit());
    out.path = impl->folder.path_of(out.hash);
    LAB_CHECK(impl->index.keep_as(out.path + ".idx"));
    return out;
}

std::int64_t DatasetWriter::rows() const { return impl_ ? impl_->encoder.rows() : 0; }

}  // namespace lab::storage
