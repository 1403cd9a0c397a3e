#pragma once
#include "engine/impl/test_world.h"
#include "service/deps.h"
#include "service/experiment.h"
#include "service/runs.h"

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

/// For the tests of this room.
namespace lab::service::test {

using engine::test::FakeProvider;
using engine::test::FakeReply;
using storage::test::files_below;
using storage::test::write_file;

class CountedUuids final : public UuidSource {
  public:
    std::string next() override {
        ++count_;
        return make_uuid(count_ << 32U, count_);
    }

  private:
    std::uint64_t count_ = 0;
};

/// Hands the calls of one run on to a provider that stays.
class Borrowed final : public providers::Provider {
  public:
    explicit Borrowed(FakeProvider& real) : real_(real) {}
    providers::CallId start(providers::CallRequest request, providers::CallDone done) override {
        return real_.start(std::move(request), std::move(done));
    }
    void cancel(providers::CallId id) override { real_.cancel(id); }
    bool is_replay() const override { return real_.is_replay(); }
    const std::string& endpoint() const override { return real_.endpoint(); }
    domain::Usage worst_case(const providers::CallRequest& request) const override {
        return real_.worst_case(request);
    }

  private:
    FakeProvider& real_;
};

/// A home folder with everything the use cases stand on; models answer by the fakes of their ids.
class Lab : public testing::Test {
  protected:
    Lab() {
        deps_.clock = &clock_;
        deps_.uuids = &uuids_;
        deps_.loop = &loop_;
        deps_.run_loop = [this] {
            stopped_ = false;
            EXPECT_TRUE(loop_.run_until([this] { return stopped_; })) << "the run hangs";
        };
        deps_.stop_loop = [this] { stopped_ = true; };
        deps_.worker = &worker_;
        deps_.disk = &disk_;
        deps_.database = [this](const Ctx& ctx) -> Result<storage::Database*> {
            if (!database_) {
                LAB_TRY(database_, storage::open_sqlite(ctx, {.path = ":memory:"}));
                LAB_CHECK(database_->migrate(ctx));
            }
            return database_.get();
        };
        deps_.database_to_read = deps_.database;
        deps_.scratch_folder = home_.path();
        deps_.objects = [this]() -> Result<storage::ObjectFolder*> { return &objects_; };
        deps_.lock_folder = home_.file("locks");
        deps_.vocabulary = &engine::test::full_vocabulary();
        deps_.make_provider = [this](const domain::ModelSpec& model
                              ) -> Result<std::unique_ptr<providers::Provider>> {
            FakeProvider& real = provider(model.id);
            real.replay = model.provider == "replay";
            real.pricing = model.pricing;
            return std::make_unique<Borrowed>(real);
        };
        deps_.check_model = [this](const domain::ModelSpec& model, std::string_view path) {
            std::vector<Detail> problems;
            if (without_key_.contains(model.id)) {
                problems.push_back(
                    {std::string(path) + ".api_key_env", "KEY_OF_" + model.id + " is not set"}
                );
            }
            if (without_base_.contains(model.id)) {
                problems.push_back({std::string(path) + ".base_url", "is missing"});
            }
            return problems;
        };
        deps_.find_pricing = [](const domain::ModelSpec& model) { return model.pricing; };
        deps_.price_table_version = "2026-01";
        deps_.software_version = "1.2.3";
    }

    FakeProvider& provider(const std::string& model) {
        auto& one = providers_[model];
        if (!one) {
            one = std::make_unique<FakeProvider>(loop_);
        }
        return *one;
    }
    std::string write(const std::string& name, const std::string& text) {
        write_file(home_.file(name), text);
        return home_.file(name);
    }
    std::string write_rows(const std::string& name, const std::vector<std::string>& rows) {
        std::string text;
        for (const std::string& row : rows) {
            text += row + "\n";
        }
        return write(name, text);
    }
    /// An experiment file over 10 rows of questions.
    std::string write_qa(const std::string& more = "", const std::string& name = "qa.yaml") {
        write_rows("rows.jsonl", engine::test::qa_rows(10));
        return write(name, engine::test::qa_yaml(engine::test::kPaid) + more);
    }
    std::unique_ptr<Experiment> load(const std::string& path, Purpose purpose = Purpose::run) {
        auto loaded = load_experiment_file(ctx_, deps_, path, purpose);
        EXPECT_TRUE(loaded) << loaded.error().message << "\n"
                            << engine::test::problems_of(loaded.error());
        return loaded ? *std::move(loaded) : nullptr;
    }
    /// "12:5: message" lines; the file's own name is checked and left out.
    std::string problems(const std::string& path, Purpose purpose = Purpose::run) {
        const auto loaded = load_experiment_file(ctx_, deps_, path, purpose);
        EXPECT_FALSE(loaded) << "nothing was found wrong";
        std::string out;
        if (!loaded) {
            EXPECT_EQ(loaded.error().code, Code::validation) << loaded.error().message;
            for (const Detail& detail : loaded.error().details) {
                EXPECT_TRUE(detail.field.starts_with(path)) << detail.field;
                const std::string place =
                    detail.field.substr(std::min(path.size() + 1, detail.field.size()));
                out += (out.empty() ? "" : "\n") + place + ": " + detail.message;
            }
        }
        return out;
    }
    RunResult run(const std::string& path, const RunHooks& hooks = {}) {
        const auto experiment = load(path);
        if (!experiment) {
            return {};
        }
        auto out = run_experiment(ctx_, deps_, *experiment, hooks);
        EXPECT_TRUE(out) << (out ? "" : out.error().message);
        return out ? *std::move(out) : RunResult();
    }

    storage::test::TestFolder home_;
    engine::test::ManualClock clock_;
    Ctx ctx_{clock_};
    engine::test::ManualExecutor loop_{clock_};
    engine::test::ManualWorker worker_{loop_, [] { return std::chrono::milliseconds(1); }};
    engine::test::ManualWorker disk_{loop_, [] { return std::chrono::milliseconds(1); }};
    CountedUuids uuids_;
    storage::ObjectFolder objects_{home_.file("objects")};
    std::unique_ptr<storage::Database> database_;
    std::map<std::string, std::unique_ptr<FakeProvider>> providers_;
    std::set<std::string> without_key_;
    std::set<std::string> without_base_;
    Deps deps_;
    bool stopped_ = false;
};

}  // namespace lab::service::test
