#include "service/platform_datasets.h"

#include "base/uuid.h"
#include "service/datasets.h"
#include "service/impl/test_platform.h"

namespace lab::service {
namespace {

using storage::test::files_below;

class PlatformDatasets : public test::PlatformTest {
  protected:
    std::string make(const char* body = R"({"name": "qa"})") {
        return create(ann_, dataset_noun(), body).value("id", "");
    }
    Result<Arrived> take(const std::string& id, const std::string& bytes, Arrival arrival = {}) {
        return take_bytes(as(ann_), id, std::move(arrival), bytes);
    }
    Json taken(const std::string& id, const std::string& bytes, Arrival arrival = {}) {
        const auto out = take(id, bytes, std::move(arrival));
        EXPECT_TRUE(out) << (out ? "" : words(out.error()));
        return out ? out->version : Json::object();
    }
    Json show(const std::string& id) { return get(vic_, dataset_noun(), id); }
    std::string rows_of(const std::string& id, const std::string& version = "") {
        const auto found = open_rows_of(as(ann_), id, version);
        if (!found) {
            return words(found.error());
        }
        std::string out;
        for (std::int64_t row = 0; row < found->file->rows(); ++row) {
            out += std::string(found->file->row(row)) + "\n";
        }
        return out;
    }
};

TEST_F(PlatformDatasets, WaitForTheirRows) {
    const Json made = create(ann_, dataset_noun(), R"({"name": "qa"})");
    EXPECT_EQ(made["status"], "pending_upload");
    EXPECT_EQ(made["format"], "jsonl");
    for (const char* member : {"version", "row_count", "sample_count", "size_bytes", "schema"}) {
        EXPECT_TRUE(made[member].is_null()) << member;
    }
    const std::string id = made["id"].get<std::string>();
    EXPECT_EQ(made["s3_path"], "datasets/" + id + "/1/data.jsonl");
    EXPECT_EQ(
        refusal(latest_rows(as(vic_), id)),
        "INVALID_STATE: no data has arrived yet | current: pending_upload"
    );
    EXPECT_EQ(code_of(latest_rows(as(vic_), make_uuid(7, 7))), Code::not_found);
    EXPECT_EQ(code_of(prepare_download(as(ann_), id, "")), Code::invalid_state);
}

TEST_F(PlatformDatasets, TakeRowsAndAreReady) {
    const std::string id = make();
    const auto arrived =
        take(id, "{\"b\":1,\"a\":\"x\"}\n\n{\"a\":\"y\"}\n", {.source = "qa.jsonl"});
    ASSERT_TRUE(arrived) << words(arrived.error());
    EXPECT_TRUE(arrived->is_new);
    EXPECT_EQ(arrived->version["version"], 1);
    EXPECT_EQ(arrived->version["row_count"], 2);
    EXPECT_EQ(arrived->version["fields"], Json::parse(R"(["b", "a"])"));
    EXPECT_EQ(arrived->version["created_by"], ann_.user_id);
    EXPECT_EQ(arrived->version["source"], "qa.jsonl");
    const Json shown = show(id);
    EXPECT_EQ(shown["status"], "ready");
    EXPECT_EQ(shown["version"], 1);
    EXPECT_EQ(shown["row_count"], 2);
    EXPECT_EQ(shown["sample_count"], 2);
    EXPECT_EQ(shown["size_bytes"], 26);
    EXPECT_EQ(shown["content_hash"], arrived->version["content_hash"]);
    EXPECT_FALSE(shown.contains("rows_in_use"));
    EXPECT_EQ(rows_of(id), "{\"a\":\"x\",\"b\":1}\n{\"a\":\"y\"}\n");
    EXPECT_EQ(shown["content_hash"], *latest_rows(as(vic_), id));
    const auto file = storage::DatasetFile::open(*rows_file(as(vic_), id));
    ASSERT_TRUE(file);
    EXPECT_EQ(file->rows(), 2);
}

TEST_F(PlatformDatasets, ReadEveryFormat) {
    const std::string wanted = "{\"a\":\"1\",\"b\":\"x\"}\n";
    const std::string id = make();
    taken(id, "{\"a\":\"1\",\"b\":\"x\"}");
    EXPECT_EQ(rows_of(id), wanted);
    const std::pair<const char*, const char*> cases[] = {
        {"json", R"([{"a":"1","b":"x"}])"},
        {"csv", "a,b\n1,x\n"},
        {"tsv", "a\tb\n1\tx\n"},
    };
    for (const auto& [format, bytes] : cases) {
        const auto out = take(id, bytes, {.format = format});
        ASSERT_TRUE(out) << format << words(out.error());
        EXPECT_FALSE(out->is_new) << format << ": the same rows are the same version";
    }
    EXPECT_EQ(
        refusal(take(id, "x", {.format = "xlsx"})),
        "VALIDATION_ERROR: rows cannot be read from this format | format: rows are read from "
        "jsonl, json, csv, tsv, parquet and text; send them as one of these"
    );
    const std::string lines = make(R"({"name": "lines"})");
    ASSERT_TRUE(take(lines, "one\r\n\n  two \n", {.format = "text"}));
    EXPECT_EQ(rows_of(lines), "{\"text\":\"one\"}\n{\"text\":\"  two \"}\n");
}

TEST_F(PlatformDatasets, BadRowsLeaveNothingBehind) {
    const std::string id = make();
    EXPECT_EQ(
        refusal(take(id, "{\"a\":1}\n{broken\n[2]\n", {.source = "qa.jsonl"}))
            .find("VALIDATION_ERROR: qa.jsonl has bad rows; nothing was imported | : line 2: "),
        0U
    );
    const Json failed = show(id);
    EXPECT_EQ(failed["status"], "failed");
    EXPECT_EQ(failed["problem"], "qa.jsonl has bad rows; nothing was imported");
    EXPECT_TRUE(failed["version"].is_null());
    EXPECT_TRUE(files_below(home_.path()).empty()) << "no object, no scratch file";
    taken(id, "{\"a\":1}\n");
    EXPECT_EQ(show(id)["status"], "ready");
    EXPECT_FALSE(show(id).contains("problem"));
    EXPECT_EQ(code_of(take(id, "")), Code::validation);
    EXPECT_EQ(show(id)["status"], "ready") << "the rows it has are still good";
    EXPECT_EQ(show(id)["version"], 1);
}

TEST_F(PlatformDatasets, ARequestThatEndsIsNotTheDatasetsFault) {
    const std::string id = make();
    const Ctx late = Ctx(clock_).within(std::chrono::nanoseconds(1));
    clock_.advance(std::chrono::seconds(1));
    const Request request{late, deps_, *session_, ann_};
    const auto out = take_bytes(request, id, {}, "{\"a\":1}\n");
    ASSERT_FALSE(out);
    EXPECT_EQ(out.error().code, Code::timed_out);
    EXPECT_EQ(show(id)["status"], "pending_upload");
}

TEST_F(PlatformDatasets, RowsAreHeldAgainstTheSchema) {
    const std::string id = make(R"({"name": "qa", "format": "csv", "schema": {
        "type": "object", "required": ["q"],
        "properties": {"q": {"type": "string", "minLength": 1}, "n": {"type": "integer"}}
    }})");
    EXPECT_EQ(
        refusal(take(id, "q,n\nwhat,1\n,2\nwho,x\n")),
        "VALIDATION_ERROR: the data has bad rows; nothing was imported"
        " | : line 3: q must not be empty"
        " | : line 4: n expected a whole number, got text"
    );
    taken(id, "q,n\nwhat,1\n");
    EXPECT_EQ(rows_of(id), "{\"n\":1,\"q\":\"what\"}\n") << "a cell of a number's column is one";
}

TEST_F(PlatformDatasets, ASchemaThatIsNoneIsRefused) {
    const auto made = create_noun(as(ann_), dataset_noun(), Json::parse(R"({
        "name": "qa", "schema": {"properties": {"a": {"type": "text", "pattern": "("}}},
        "s3_path": "a/../b"
    })"));
    const std::string text = refusal(made);
    EXPECT_NE(text.find("schema.properties.a.type: "), text.npos) << text;
    EXPECT_NE(text.find("schema.properties.a.pattern: "), text.npos) << text;
    EXPECT_NE(text.find("s3_path: must not leave"), text.npos) << text;
}

TEST_F(PlatformDatasets, OldRowsThatComeAgainAreInUseAgain) {
    const std::string id = make();
    taken(id, "{\"a\":1}\n");
    taken(id, "{\"a\":2}\n");
    EXPECT_EQ(show(id)["version"], 2);
    const auto again = take(id, "{ \"a\": 1 }\n");
    ASSERT_TRUE(again);
    EXPECT_FALSE(again->is_new);
    EXPECT_EQ(again->version["version"], 1);
    EXPECT_EQ(show(id)["version"], 1);
    EXPECT_EQ(rows_of(id), "{\"a\":1}\n");
    EXPECT_EQ(rows_of(id, "2"), "{\"a\":2}\n");
    taken(id, "{\"a\":3}\n");
    EXPECT_EQ(show(id)["version"], 3);
}

TEST_F(PlatformDatasets, WhatTheCommandLineAddsIsInUse) {
    deps_.database = [this](const Ctx&) -> Result<storage::Database*> { return database_.get(); };
    const auto import = [&](const std::string& bytes) {
        storage::test::write_file(home_.file("x.jsonl"), bytes);
        const auto out =
            import_dataset(ctx_, deps_, {.path = home_.file("x.jsonl"), .name = "local"});
        EXPECT_TRUE(out);
        return out->dataset_id;
    };
    const std::string id = import("{\"a\":1}\n");
    EXPECT_EQ(show(id)["row_count"], 1);
    const Caller local = local_caller();
    ASSERT_TRUE(take_bytes(as(local), id, {}, "{\"a\":2}\n"));
    ASSERT_TRUE(take_bytes(as(local), id, {}, "{\"a\":1}\n"));
    EXPECT_EQ(show(id)["version"], 1) << "said so";
    import("{\"a\":3}\n");
    EXPECT_EQ(show(id)["version"], 3) << "newer than what was said";
}

TEST_F(PlatformDatasets, AVersionIsPlannedAndThenArrives) {
    const std::string id = make();
    taken(id, "{\"a\":1}\n");
    const auto planned = plan_version(
        as(ann_), id, Json::parse(R"({"version": "1.1.0", "changelog": "more rows"})")
    );
    ASSERT_TRUE(planned) << words(planned.error());
    EXPECT_EQ((*planned)["version"], 2);
    EXPECT_EQ((*planned)["label"], "1.1.0");
    EXPECT_EQ((*planned)["status"], "pending_upload");
    EXPECT_TRUE((*planned)["row_count"].is_null());
    auto list = list_versions(as(vic_), id, std::nullopt, 10, 0);
    ASSERT_TRUE(list);
    ASSERT_EQ(list->rows.size(), 2U);
    EXPECT_EQ(list->rows[0], *planned);
    EXPECT_EQ(list->rows[1]["version"], 1);
    EXPECT_EQ(show(id)["version"], 1) << "nothing has arrived yet";

    const Json arrived = taken(id, "{\"a\":1}\n{\"a\":2}\n");
    EXPECT_EQ(arrived["id"], (*planned)["id"]);
    EXPECT_EQ(arrived["label"], "1.1.0");
    EXPECT_EQ(arrived["changelog"], "more rows");
    list = list_versions(as(vic_), id, std::nullopt, 10, 0);
    ASSERT_EQ(list->rows.size(), 2U);
    EXPECT_EQ(list->rows[0], arrived);
    EXPECT_EQ(taken(id, "{\"a\":3}\n")["label"], nullptr) << "a plan is used up";
}

TEST_F(PlatformDatasets, PagesOfVersionsCountThePlannedOne) {
    const std::string id = make();
    for (int i = 1; i <= 3; ++i) {
        taken(id, "{\"a\":" + std::to_string(i) + "}\n");
    }
    ASSERT_TRUE(plan_version(as(ann_), id, Json::object()));
    const auto numbers = [&](std::int64_t limit,
                             std::int64_t offset,
                             std::optional<std::int64_t> below = std::nullopt) {
        std::string out;
        const auto found = list_versions(as(vic_), id, below, limit, offset);
        EXPECT_TRUE(found);
        for (const Json& one : found.value().rows) {
            out += dump_json(one["version"]);
        }
        EXPECT_EQ(found->total, 4);
        return out + (found->more ? "+" : "");
    };
    EXPECT_EQ(numbers(10, 0), "4321");
    EXPECT_EQ(numbers(1, 0), "4+");
    EXPECT_EQ(numbers(2, 0), "43+");
    EXPECT_EQ(numbers(2, 1), "32+");
    EXPECT_EQ(numbers(2, 2), "21");
    EXPECT_EQ(numbers(2, 0, 5), "43+");
    EXPECT_EQ(numbers(2, 0, 4), "32+");
    EXPECT_EQ(numbers(2, 0, 3), "21");
    EXPECT_EQ(numbers(2, 0, 1), "");
}

TEST_F(PlatformDatasets, ALabelBelongsToOneVersion) {
    const std::string id = make();
    const Json first = taken(id, "{\"a\":1}\n", {.label = "1.0"});
    EXPECT_EQ(
        refusal(take(id, "{\"a\":2}\n", {.label = "1.0"})),
        "CONFLICT: the dataset has a version \"1.0\" already, and versions do not change"
        " | existing_id: " +
            first["id"].get<std::string>()
    );
    EXPECT_EQ(show(id)["version"], 1);
    EXPECT_FALSE(take(id, "{\"a\":1}\n", {.label = "1.0"})->is_new) << "the same again";
    EXPECT_EQ(code_of(plan_version(as(ann_), id, {{"version", "1.0"}})), Code::conflict);
}

TEST_F(PlatformDatasets, VersionsAreFoundByNumberIdAndLabel) {
    const std::string id = make();
    const std::string first = taken(id, "{\"a\":1}\n", {.label = "old"})["id"].get<std::string>();
    taken(id, "{\"a\":2}\n");
    EXPECT_EQ(rows_of(id, "1"), "{\"a\":1}\n");
    EXPECT_EQ(rows_of(id, first), "{\"a\":1}\n");
    EXPECT_EQ(rows_of(id, "old"), "{\"a\":1}\n");
    for (const char* none : {"3", "0", "-1", "new", "00000000-0000-4000-8000-000000000000"}) {
        EXPECT_EQ(code_of(open_rows_of(as(ann_), id, none)), Code::not_found) << none;
    }
}

TEST_F(PlatformDatasets, AnUploadKnowsItsFormat) {
    const std::string id = make(R"({"name": "qa", "format": "csv"})");
    const auto format = [&](const char* body) {
        const auto link = prepare_upload(as(ann_), id, Json::parse(body));
        return link ? link->format : words(link.error());
    };
    EXPECT_EQ(format("{}"), "csv");
    EXPECT_EQ(format(R"({"filename": "rows.tsv", "content_type": "application/json"})"), "tsv");
    EXPECT_EQ(format(R"({"filename": "rows", "content_type": "application/json; x=1"})"), "json");
    EXPECT_EQ(format(R"({"filename": "rows.csv", "format": "jsonl"})"), "jsonl");
    EXPECT_EQ(format(R"({"content_type": "application/octet-stream"})"), "csv");
    EXPECT_EQ(format(R"({"format": "parquet"})"), "parquet");
    EXPECT_EQ(format(R"({"format": "xlsx"})").find("VALIDATION_ERROR"), 0U);
    const std::string parquet = make(R"({"name": "p", "format": "parquet"})");
    const auto own = prepare_upload(as(ann_), parquet, Json::object());
    EXPECT_EQ(own ? own->format : words(own.error()), "parquet");
    const auto link =
        prepare_upload(as(ann_), id, Json::parse(R"({"version": "2", "filename": "f"})"));
    EXPECT_EQ(link->label, "2");
    EXPECT_EQ(link->source, "f");
    EXPECT_EQ(link->holder.user_id, ann_.user_id);
    EXPECT_EQ(link->version, 1);
}

TEST_F(PlatformDatasets, RightsAreAskedFor) {
    const std::string id = make();
    taken(id, "{\"a\":1}\n");
    EXPECT_EQ(code_of(take_bytes(as(vic_), id, {}, "{\"a\":2}\n")), Code::forbidden);
    EXPECT_EQ(code_of(plan_version(as(vic_), id, Json::object())), Code::forbidden);
    EXPECT_EQ(code_of(prepare_upload(as(vic_), id, Json::object())), Code::forbidden);
    EXPECT_EQ(
        refusal(open_rows_of(as(vic_), id, "")),
        "FORBIDDEN: this needs the permission data:export | required_permission: data:export"
    );
    EXPECT_TRUE(list_versions(as(vic_), id, std::nullopt, 10, 0));
    for (const Caller* stranger : {&eve_}) {
        EXPECT_EQ(code_of(take_bytes(as(*stranger), id, {}, "{\"a\":2}\n")), Code::not_found);
        EXPECT_EQ(code_of(open_rows_of(as(*stranger), id, "")), Code::not_found);
        EXPECT_EQ(code_of(list_versions(as(*stranger), id, std::nullopt, 10, 0)), Code::not_found);
        EXPECT_EQ(code_of(latest_rows(as(*stranger), id)), Code::not_found);
    }
    const std::string own = make(R"({"name": "own", "visibility": "private"})");
    EXPECT_EQ(code_of(take_bytes(as(bob_), own, {}, "{\"a\":2}\n")), Code::not_found);
    EXPECT_TRUE(take_bytes(as(root_), own, {}, "{\"a\":2}\n"));
}

TEST_F(PlatformDatasets, ALinkGivesWhatItSaysAndNoMore) {
    const std::string id = make(R"({"name": "own", "visibility": "private"})");
    auto link = prepare_upload(as(ann_), id, Json::object());
    ASSERT_TRUE(link);
    Caller bearer;
    bearer.ip = "10.0.0.1";
    const Caller caller = link_caller(*link, bearer);
    EXPECT_EQ(caller.ip, "10.0.0.1");
    EXPECT_FALSE(caller.is_admin());
    ASSERT_TRUE(take_bytes(as(caller), id, {}, "{\"a\":1}\n"));
    EXPECT_EQ(code_of(open_rows_of(as(caller), id, "")), Code::forbidden);
    const auto download = prepare_download(as(ann_), id, "");
    ASSERT_TRUE(download);
    EXPECT_EQ(download->version, 1);
    const Caller reader = link_caller(*download, bearer);
    EXPECT_TRUE(open_rows_of(as(reader), id, "1"));
    EXPECT_EQ(code_of(take_bytes(as(reader), id, {}, "{\"a\":2}\n")), Code::forbidden);
}

TEST_F(PlatformDatasets, StayWhileSomethingUsesThem) {
    const std::string id = make();
    const std::string model = plant(
        storage::ResourceKind::model, bob_, "recorded", {{"config", {{"replay_dataset", id}}}}
    );
    EXPECT_EQ(
        refusal(remove_noun(as(ann_), dataset_noun(), id, std::nullopt)),
        "CONFLICT: a model uses this dataset | used_by: " + model
    );
    const std::string free = make(R"({"name": "free"})");
    taken(free, "{\"a\":1}\n");
    EXPECT_TRUE(remove_noun(as(ann_), dataset_noun(), free, std::nullopt));
    EXPECT_EQ(code_of(latest_rows(as(ann_), free)), Code::not_found);
}

TEST(DatasetLinks, AreWhatWasSignedUntilTheyExpire) {
    const WallTime now(std::chrono::seconds(1000));
    const DatasetLink link{
        .use = DatasetLink::Use::upload,
        .holder = {.org = 7, .user_id = "u", .is_admin = true, .expires_at = 1001},
        .dataset_id = "d",
        .version = 3,
        .content_type = "text/csv",
        .bytes = 12,
        .format = "csv",
        .source = "a \"b\".csv",
        .label = "1.0",
        .description = "what",
        .changelog = "why",
    };
    const std::string token = sign_link(link, SigningKeys("key"));
    const auto got = read_link(token, DatasetLink::Use::upload, "d", now, SigningKeys("key"));
    ASSERT_TRUE(got);
    EXPECT_EQ(got->holder.org, 7);
    EXPECT_EQ(got->holder.user_id, "u");
    EXPECT_TRUE(got->holder.is_admin);
    EXPECT_EQ(got->version, 3);
    EXPECT_EQ(got->content_type, "text/csv");
    EXPECT_EQ(got->bytes, 12);
    EXPECT_EQ(got->format, "csv");
    EXPECT_EQ(got->source, "a \"b\".csv");
    EXPECT_EQ(got->label, "1.0");
    EXPECT_EQ(got->description, "what");
    EXPECT_EQ(got->changelog, "why");

    const auto refused = [&](const std::string& text,
                             DatasetLink::Use use = DatasetLink::Use::upload,
                             const char* dataset = "d",
                             const char* key = "key",
                             std::int64_t seconds = 1000) {
        const auto out = read_link(
            text, use, dataset, WallTime(std::chrono::seconds(seconds)), SigningKeys(key)
        );
        return !out && out.error().code == Code::forbidden;
    };
    EXPECT_TRUE(refused(token, DatasetLink::Use::download)) << "for another use";
    EXPECT_TRUE(refused(token, DatasetLink::Use::upload, "e")) << "for another dataset";
    EXPECT_TRUE(refused(token, DatasetLink::Use::upload, "d", "other")) << "another's key";
    EXPECT_TRUE(refused(token, DatasetLink::Use::upload, "d", "key", 1001)) << "too late";
    for (const std::string& broken : {std::string(), std::string("AAAA"), token + "A"}) {
        EXPECT_TRUE(refused(broken)) << broken;
    }
    AddressHolder holder;
    EXPECT_FALSE(read_address("artifact link", token, now, SigningKeys("key"), holder))
        << "another kind";
    for (std::size_t i = 0; i < token.size(); ++i) {
        std::string altered = token;
        altered[i] = altered[i] == 'A' ? 'B' : 'A';
        EXPECT_TRUE(refused(altered)) << "character " << i;
    }
}

}  // namespace
}  // namespace lab::service
