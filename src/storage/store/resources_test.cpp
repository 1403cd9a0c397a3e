#include "storage/store/resources.h"

#include "storage/store/impl/test_store.h"

#include <gtest/gtest.h>

namespace lab::storage {
namespace {

class ResourcesContract : public test::StoreTest {
  protected:
    Resource make(const std::string& id, const std::string& name, const std::string& owner) {
        Resource out;
        out.id = id;
        out.name = name;
        out.status = "ready";
        out.access.owner = owner;
        out.search = name;
        out.body = R"({"provider":"openai"})";
        out.facet = "openai";
        out.created_at = out.updated_at =
            "2026-01-0" + std::to_string(1 + made_++ % 9) + "T00:00:00.000000Z";
        return out;
    }
    Resource create(const std::string& id, const std::string& name, const std::string& owner) {
        Resource out = make(id, name, owner);
        EXPECT_TRUE(models_.create(ctx_, out));
        return out;
    }
    std::vector<std::string> names(
        const Viewer& viewer, const ResourceFilter& filter = {}, const ResourcePage& page = {}
    ) {
        std::vector<std::string> out;
        const auto found = models_.list(ctx_, viewer, filter, page);
        EXPECT_TRUE(found) << (found ? "" : found.error().message + found.error().cause);
        if (found) {
            for (const Resource& one : *found) {
                out.push_back(one.name);
            }
            EXPECT_GE(
                models_.list_and_count(ctx_, viewer, filter, {}).value().total.rows, std::ssize(out)
            );
        }
        return out;
    }
    using Names = std::vector<std::string>;
    int made_ = 0;
    Resources models_{*session_, ResourceKind::model};
    const Viewer ann_{.org = 1, .user = "ann"};
    const Viewer bob_{.org = 1, .user = "bob"};
};

TEST_P(ResourcesContract, ComeBackAsTheyWere) {
    Resource model = make("id-1", "a model", "ann");
    model.access.collaborators = {"bob", "amy"};
    model.access.visibility = domain::Visibility::private_;
    model.tags = {"b", "a_1"};
    ASSERT_TRUE(models_.create(ctx_, model));
    const auto found = models_.find(ctx_, ann_, "id-1");
    ASSERT_TRUE(found);
    ASSERT_TRUE(*found);
    const Resource& got = **found;
    EXPECT_EQ(got.key, model.key);
    EXPECT_EQ(got.name, "a model");
    EXPECT_EQ(got.access.owner, "ann");
    EXPECT_EQ(got.access.collaborators, (Names{"amy", "bob"}));
    EXPECT_EQ(got.access.visibility, domain::Visibility::private_);
    EXPECT_EQ(got.tags, (Names{"a_1", "b"}));
    EXPECT_EQ(got.body, model.body);
    EXPECT_EQ(got.revision, 1);
    EXPECT_EQ(got.created_at, model.created_at);
}

TEST_P(ResourcesContract, WhatIsNotForTheirEyesDoesNotExist) {
    Resource secret = make("id-1", "secret", "ann");
    secret.access.visibility = domain::Visibility::private_;
    ASSERT_TRUE(models_.create(ctx_, secret));
    create("id-2", "shared", "ann");
    EXPECT_EQ(names(ann_).size(), 2U);
    EXPECT_EQ(names(bob_), Names{"shared"});
    EXPECT_FALSE(*models_.find(ctx_, bob_, "id-1"));
    EXPECT_TRUE(*models_.find(ctx_, {.org = 1, .user = "zoe", .is_admin = true}, "id-1"));
    EXPECT_FALSE(*models_.find(ctx_, {.org = 2, .user = "ann", .is_admin = true}, "id-2"));
    EXPECT_TRUE(*models_.find_anywhere(ctx_, "id-1")) << "the service itself finds it";
    EXPECT_EQ(names({.org = 2, .user = "ann", .is_admin = true}), Names{});
    EXPECT_EQ(names({.org = 1}), Names{"shared"}) << "nobody in particular owns nothing";
    secret.access.collaborators = {"b_b", "bob"};
    ASSERT_TRUE(*models_.update(ctx_, secret));
    EXPECT_EQ(names(bob_).size(), 2U);
    EXPECT_EQ(names({.org = 1, .user = "bxb"}), Names{"shared"}) << "an id is no pattern";
    EXPECT_EQ(models_.list_and_count(ctx_, {.org = 1, .user = "%"}, {}, {}).value().total, 1);
}

TEST_P(ResourcesContract, NamesAreUniqueForTheirOwner) {
    create("id-1", "same", "ann");
    Resource again = make("id-2", "same", "ann");
    const Status refused = models_.create(ctx_, again);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::conflict);
    EXPECT_EQ((*models_.find_named(ctx_, 1, "ann", "same"))->id, "id-1");
    create("id-3", "same", "bob");
    Resource renamed = create("id-4", "other", "bob");
    renamed.name = "same";
    EXPECT_EQ(models_.update(ctx_, renamed).error().code, Code::conflict);
}

TEST_P(ResourcesContract, ALateWriterChangesNothing) {
    Resource first = create("id-1", "one", "ann");
    Resource second = first;
    first.name = "first";
    EXPECT_TRUE(*models_.update(ctx_, first));
    EXPECT_EQ(first.revision, 2);
    second.name = "second";
    EXPECT_FALSE(*models_.update(ctx_, second));
    EXPECT_EQ(second.revision, 1);
    EXPECT_EQ(names(ann_), Names{"first"});
    EXPECT_TRUE(*models_.remove(ctx_, first));
    EXPECT_FALSE(*models_.remove(ctx_, first));
}

TEST_P(ResourcesContract, EveryFilterHolds) {
    Resource one = make("id-1", "alpha", "ann");
    one.tags = {"x", "y", "a_b", "Vision É"};
    ASSERT_TRUE(models_.create(ctx_, one));
    Resource two = make("id-2", "beta 100%", "bob");
    two.tags = {"x"};
    two.status = "archived";
    two.facet = "google";
    ASSERT_TRUE(models_.create(ctx_, two));
    EXPECT_EQ(names(ann_, {.status = "archived"}), Names{"beta 100%"});
    EXPECT_EQ(names(ann_, {.owner = "ann"}), Names{"alpha"});
    EXPECT_EQ(names(ann_, {.name = "alpha"}), Names{"alpha"});
    EXPECT_EQ(names(ann_, {.text = "100%"}), Names{"beta 100%"});
    EXPECT_EQ(names(ann_, {.text = "100_"}), Names{});
    EXPECT_EQ(names(ann_, {.tags = {"x"}}).size(), 2U);
    EXPECT_EQ(names(ann_, {.tags = {"y", "x"}}), Names{"alpha"});
    EXPECT_EQ(names(ann_, {.tags = {"axb"}}), Names{}) << "a tag is no pattern";
    EXPECT_EQ(names(ann_, {.tags = {"vISION É"}}), Names{"alpha"});
    EXPECT_EQ(names(ann_, {.tags = {"vision é"}}), Names{});
    EXPECT_EQ(names(ann_, {.facet = "google"}), Names{"beta 100%"});
    EXPECT_EQ(names(ann_, {.status = "ready", .facet = "google"}), Names{});
    EXPECT_EQ(models_.list_and_count(ctx_, ann_, {.facet = "google"}, {}).value().total, 1);
}

constexpr Query kMakeModels{"make_models", R"sql(
    INSERT INTO models (id, org, name, status, owner_id, collaborators, visibility, tags, search,
                        body, revision, created_at, updated_at, provider)
    WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1)
    SELECT 'made-' || CAST(i AS TEXT), 1, 'made ' || CAST(i AS TEXT), 'ready', 'ann', '', 'org', '',
           '', '{}', 1, '2026-01-01T00:00:00.000000Z', '2026-01-01T00:00:00.000000Z', 'openai'
    FROM n
)sql"};

TEST_P(ResourcesContract, AreCountedUpToABound) {
    const auto total = [&](const ResourceFilter& filter) {
        return models_.list_and_count(ctx_, ann_, filter, {}).value().total;
    };
    const Value made[] = {kCountMax};
    ASSERT_EQ(session_->exec(ctx_, kMakeModels, made).value(), kCountMax);
    EXPECT_EQ(total({}), kCountMax);
    EXPECT_EQ(total({.facet = "openai"}), kCountMax);
    create("id-1", "one more", "ann");
    for (const ResourceFilter& filter : {ResourceFilter{}, ResourceFilter{.facet = "openai"}}) {
        EXPECT_EQ(total(filter).rows, kCountMax);
        EXPECT_FALSE(total(filter).is_exact);
        EXPECT_FALSE(total(filter) == kCountMax);
    }
    EXPECT_EQ(total({.name = "one more"}), 1) << "and what is filtered by itself";
}

TEST_P(ResourcesContract, PagesAreStableInEveryOrder) {
    for (int i = 0; i < 7; ++i) {
        create("id-" + std::to_string(i), "m" + std::to_string((i * 3) % 7), "ann");
    }
    for (const SortBy sort : {SortBy::created_at, SortBy::updated_at, SortBy::name}) {
        for (const bool descending : {true, false}) {
            ResourcePage page{.sort = sort, .descending = descending, .limit = 100};
            const auto all = models_.list(ctx_, ann_, {}, page).value();
            ASSERT_EQ(all.size(), 7U);
            std::vector<std::string> paged;
            page.limit = 3;
            for (;;) {
                const auto some = models_.list(ctx_, ann_, {}, page).value();
                for (const Resource& one : some) {
                    paged.push_back(one.id);
                }
                if (std::ssize(some) < page.limit) {
                    break;
                }
                const Resource& last = some.back();
                page.after = {
                    .sort_value = sort == SortBy::name ? last.name : last.created_at,
                    .id = last.id,
                };
            }
            ASSERT_EQ(paged.size(), 7U);
            for (std::size_t i = 0; i < all.size(); ++i) {
                EXPECT_EQ(paged[i], all[i].id);
            }
        }
    }
    EXPECT_EQ(
        names(ann_, {}, {.sort = SortBy::name, .descending = false, .limit = 2, .offset = 5}),
        (Names{"m5", "m6"})
    );
}

TEST_P(ResourcesContract, EveryKindHasItsTable) {
    for (const ResourceKind kind :
         {ResourceKind::experiment,
          ResourceKind::dataset,
          ResourceKind::model,
          ResourceKind::prompt,
          ResourceKind::evaluation}) {
        Resources kinds(*session_, kind);
        Resource one = make("same-id", "same name", "ann");
        ASSERT_TRUE(kinds.create(ctx_, one));
        EXPECT_EQ(kinds.list_and_count(ctx_, ann_, {.name = "same name"}, {}).value().total, 1);
        EXPECT_TRUE(*kinds.remove(ctx_, one));
    }
}

TEST_P(ResourcesContract, EvaluationsWithoutANameLiveBesideEachOther) {
    Resources evaluations(*session_, ResourceKind::evaluation);
    const auto add = [&](const std::string& id, const std::string& name, const std::string& kind) {
        Resource one = make(id, name, "ann");
        one.kind = kind;
        one.facet = kind == "definition" ? "automated" : "";
        one.experiment_id = kind == "definition" ? "" : "e-1";
        one.run_id = kind == "sample" ? "r-1" : "";
        return evaluations.create(ctx_, one);
    };
    EXPECT_TRUE(add("id-1", "", "sample"));
    EXPECT_TRUE(add("id-2", "", "sample"));
    EXPECT_TRUE(add("id-3", "", "run_summary"));
    EXPECT_TRUE(add("id-4", "named", "definition"));
    const Status again = add("id-5", "named", "definition");
    ASSERT_FALSE(again);
    EXPECT_EQ(again.error().code, Code::conflict);
    EXPECT_EQ(evaluations.list_and_count(ctx_, ann_, {.kind = "sample"}, {}).value().total, 2);
    EXPECT_EQ(evaluations.list_and_count(ctx_, ann_, {.kind = "definition"}, {}).value().total, 1);
    EXPECT_EQ(
        evaluations.list_and_count(ctx_, ann_, {.experiment_id = "e-1"}, {}).value().total, 3
    );
    EXPECT_EQ(evaluations.list_and_count(ctx_, ann_, {.run_id = "r-1"}, {}).value().total, 2);
    EXPECT_EQ(evaluations.list_and_count(ctx_, ann_, {.facet = "automated"}, {}).value().total, 1);
    EXPECT_EQ(evaluations.list_and_count(ctx_, ann_, {.facet = "human"}, {}).value().total, 0);
    // A page goes on behind a row without a name too.
    const ResourcePage by_name{.sort = SortBy::name, .descending = false, .limit = 1};
    ResourcePage next = by_name;
    std::vector<std::string> seen;
    for (int page = 0; page < 5; ++page) {
        const auto found = evaluations.list(ctx_, ann_, {}, next);
        ASSERT_TRUE(found);
        if (found->empty()) {
            break;
        }
        seen.push_back(found->front().id);
        next.after = ResourceCursor{.sort_value = found->front().name, .id = found->front().id};
    }
    EXPECT_EQ(seen, (Names{"id-1", "id-2", "id-3", "id-4"}));
}

TEST_P(ResourcesContract, AnExperimentOfTheServiceIsInNoList) {
    Resources experiments(*session_, ResourceKind::experiment);
    Resource own = make("id-1", "runs of an evaluation", "v-1");
    own.evaluation_id = "v-1";
    ASSERT_TRUE(experiments.create(ctx_, own));
    const Viewer root{.org = 1, .user = "root", .is_admin = true};
    EXPECT_EQ(experiments.list_and_count(ctx_, root, {}, {}).value().total, 0);
    EXPECT_TRUE(experiments.list(ctx_, root, {}, {})->empty());
    EXPECT_FALSE(*experiments.find(ctx_, root, "id-1"));
    EXPECT_TRUE(*experiments.find_anywhere(ctx_, "id-1"));
    auto found = experiments.find_anywhere(ctx_, "id-1");
    ASSERT_TRUE(found && *found);
    (*found)->name = "renamed";
    EXPECT_TRUE(experiments.update(ctx_, **found).value());
    EXPECT_EQ(experiments.list_and_count(ctx_, root, {}, {}).value().total, 0)
        << "a change keeps it out of sight";
}

LAB_ALL_BACKENDS(ResourcesContract);

}  // namespace
}  // namespace lab::storage
