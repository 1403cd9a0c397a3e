#include "service/artifacts.h"

#include "base/text.h"
#include "platform/crypto/sha256.h"
#include "service/experiments.h"
#include "service/impl/test_platform.h"

#include <filesystem>

namespace lab::service {
namespace {

class RunArtifacts : public test::PlatformTest {
  protected:
    RunArtifacts() {
        const Json made = create(ann_, experiment_noun(), R"({"name": "e"})");
        experiment_ = made.value("id", "");
        run_ = new_run();
    }
    std::string new_run() {
        const auto run = create_run(as(ann_), experiment_, Json::object());
        EXPECT_TRUE(run) << (run ? "" : words(run.error()));
        return run ? run->value("id", "") : "";
    }
    Result<Json> keep(const std::string& run, ArtifactPlan plan, std::string_view bytes) {
        LAB_TRY(auto arriving, begin_artifact(as(ann_), experiment_, run, plan));
        LAB_CHECK(arriving->write(bytes.substr(0, bytes.size() / 2)));
        LAB_CHECK(arriving->write(bytes.substr(bytes.size() / 2)));
        return keep_artifact(as(ann_), experiment_, run, *arriving);
    }
    std::string kept(const std::string& run, const std::string& name, std::string_view bytes) {
        const auto made = keep(run, {.name = name, .type = "log", .mime_type = ""}, bytes);
        EXPECT_TRUE(made) << (made ? "" : words(made.error()));
        return made ? made->value("id", "") : "";
    }
    std::size_t files() { return storage::test::files_below(objects_.root()).size(); }

    std::string experiment_;
    std::string run_;
};

TEST_F(RunArtifacts, AreWhatWasSent) {
    const auto made = keep(
        run_, {.name = "a b.csv", .type = "model_output", .mime_type = "text/csv"}, "x,y\n1,2\n"
    );
    ASSERT_TRUE(made) << words(made.error());
    const std::string id = made->value("id", "");
    EXPECT_EQ((*made)["size_bytes"], 8);
    EXPECT_EQ((*made)["mime_type"], "text/csv");
    EXPECT_EQ((*made)["content_hash"], sha256_hex("x,y\n1,2\n"));
    EXPECT_EQ(
        (*made)["s3_path"],
        "experiments/" + experiment_ + "/runs/" + run_ + "/artifacts/" + id + "/a b.csv"
    );
    const auto file = artifact_file(as(vic_), experiment_, run_, id);
    ASSERT_TRUE(file) << words(file.error());
    EXPECT_EQ(storage::test::read_file(file->path), "x,y\n1,2\n");
    const auto listed = list_artifacts(as(vic_), experiment_, run_, std::nullopt, 10, 0);
    ASSERT_TRUE(listed);
    EXPECT_EQ(listed->total, 1);
    EXPECT_EQ(listed->rows.at(0), *made);
}

TEST_F(RunArtifacts, NamesAreSafeAsFiles) {
    for (const char* good : {"a", "plot 1.png", "model-v1.2_(final).bin", "x@y=1,2+3"}) {
        EXPECT_TRUE(check_artifact_name(good)) << good;
    }
    for (const char* bad :
         {"",
          ".",
          "..",
          "../a",
          "a/b",
          "a\\b",
          ".ssh",
          "-rf",
          "a.",
          "a ",
          " a",
          "a\"b",
          "a\nb",
          "a:b",
          "\xc3\xa4"}) {
        EXPECT_FALSE(check_artifact_name(bad)) << bad;
    }
    EXPECT_FALSE(check_artifact_name(std::string(256, 'a')));
    const ArtifactPlan odd{.name = "a", .type = "virus", .mime_type = ""};
    EXPECT_EQ(code_of(begin_artifact(as(ann_), experiment_, run_, odd)), Code::validation);
    const ArtifactPlan broken{.name = "a", .type = "log", .mime_type = "text/html\r\nX: y"};
    EXPECT_EQ(code_of(begin_artifact(as(ann_), experiment_, run_, broken)), Code::validation);
}

TEST_F(RunArtifacts, OfTheSameBytesShareAFileUntilTheLastIsRemoved) {
    const std::string other = new_run();
    const std::string one = kept(run_, "one", "same");
    const std::string two = kept(other, "two", "same");
    EXPECT_EQ(files(), 1U);
    EXPECT_TRUE(remove_artifact(as(ann_), experiment_, run_, one));
    EXPECT_EQ(files(), 1U);
    EXPECT_EQ(code_of(get_artifact(as(ann_), experiment_, run_, one)), Code::not_found);
    EXPECT_TRUE(remove_artifact(as(ann_), experiment_, other, two));
    EXPECT_EQ(files(), 0U);
}

TEST_F(RunArtifacts, ThatAreNotKeptLeaveNothing) {
    {
        const ArtifactPlan plan{.name = "a", .type = "log", .mime_type = ""};
        auto arriving = begin_artifact(as(ann_), experiment_, run_, plan);
        ASSERT_TRUE(arriving);
        EXPECT_TRUE((*arriving)->write("half of it"));
    }
    EXPECT_EQ(files(), 0U);
    EXPECT_EQ(list_artifacts(as(ann_), experiment_, run_, std::nullopt, 10, 0)->total, 0);
}

TEST_F(RunArtifacts, AreForWhoMayRun) {
    const ArtifactPlan plan{.name = "a", .type = "log", .mime_type = ""};
    EXPECT_EQ(code_of(begin_artifact(as(vic_), experiment_, run_, plan)), Code::forbidden);
    EXPECT_EQ(code_of(begin_artifact(as(eve_), experiment_, run_, plan)), Code::not_found);
    const std::string id = kept(run_, "a", "x");
    EXPECT_EQ(code_of(remove_artifact(as(vic_), experiment_, run_, id)), Code::forbidden);
    EXPECT_EQ(code_of(artifact_file(as(eve_), experiment_, run_, id)), Code::not_found);
}

TEST_F(RunArtifacts, MoreBytesThanTheRunTakesAreRefusedBeforeTheyCome) {
    ArtifactPlan plan{.name = "a", .type = "other", .mime_type = ""};
    plan.bytes = std::int64_t{50} << 30;
    EXPECT_TRUE(begin_artifact(as(ann_), experiment_, run_, plan));
    ++plan.bytes;
    EXPECT_EQ(code_of(begin_artifact(as(ann_), experiment_, run_, plan)), Code::payload_too_large);
}

TEST_F(RunArtifacts, LinksOpenOneRunForAWhile) {
    const ArtifactPlan plan{.name = "a.bin", .type = "checkpoint", .mime_type = ""};
    auto link = prepare_artifact(as(ann_), experiment_, run_, plan);
    ASSERT_TRUE(link);
    const WallTime now = clock_.wall();
    const auto seconds =
        std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count();
    link->holder.expires_at = seconds + 10;
    const std::string token = sign_artifact_link(*link, SigningKeys("key"));
    const auto read = read_artifact_link(token, experiment_, run_, now, SigningKeys("key"));
    ASSERT_TRUE(read) << words(read.error());
    EXPECT_EQ(read->plan.name, "a.bin");
    const Caller bearer = artifact_link_caller(*read, Caller());
    const auto bytes = begin_artifact(as(bearer), experiment_, run_, read->plan);
    EXPECT_TRUE(bytes);
    EXPECT_FALSE(bearer.may(domain::Permission::read_experiment));
    const auto refused = [&](std::string_view text, std::string_view run, WallTime at) {
        return code_of(read_artifact_link(text, experiment_, run, at, SigningKeys("key")));
    };
    EXPECT_EQ(refused(token, "other", now), Code::forbidden);
    EXPECT_EQ(refused(token, run_, now + std::chrono::seconds(10)), Code::forbidden);
    EXPECT_EQ(refused(token.substr(1), run_, now), Code::forbidden);
    EXPECT_EQ(refused("", run_, now), Code::forbidden);
    const auto other_key =
        read_artifact_link(token, experiment_, run_, now, SigningKeys("other key"));
    EXPECT_EQ(code_of(other_key), Code::forbidden);
}

}  // namespace
}  // namespace lab::service
