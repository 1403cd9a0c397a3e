#include "storage/store/impl/test_store.h"

#include "storage/store/impl/postgres_session.h"

#include <unistd.h>

#include <map>

namespace lab::storage::test {
namespace {

/// To make a database is slow, to empty one is not: they are used again.
constexpr std::string_view kEmpty = R"sql(
DO $$
DECLARE one TEXT;
BEGIN
    SET LOCAL session_replication_role = replica;
    DROP TABLE IF EXISTS t;
    FOR one IN SELECT tablename FROM pg_tables
               WHERE schemaname = 'public' AND tablename <> '_sqlx_migrations' LOOP
        EXECUTE 'DELETE FROM ' || quote_ident(one);
    END LOOP;
    INSERT INTO orgs (key, id, name, created_at) VALUES
        (1, '00000000-0000-4000-8000-000000000001', 'default', '1970-01-01T00:00:00.000000Z');
END $$
)sql";

class Server {
  public:
    static Server& instance() {
        static Server server;
        return server;
    }
    std::string take() {
        if (free_.empty()) {
            std::string name = make();
            const std::string url = lab::test::with_database(target_.options.url, name);
            const auto database = open_postgres({.url = url}).value();
            const Status migrated = database->migrate(ctx_);
            EXPECT_TRUE(migrated) << migrated.error().message << ": " << migrated.error().cause;
            made_.push_back(name);
            return name;
        }
        const std::string name = free_.back();
        free_.pop_back();
        std::unique_ptr<PostgresSession>& session = sessions_[name];
        if (!session) {
            const std::string url = lab::test::with_database(target_.options.url, name);
            session = PostgresSession::open(ctx_, parse_postgres_url({.url = url}).value()).value();
        }
        const Status emptied = session->run_script(ctx_, "empty", kEmpty);
        EXPECT_TRUE(emptied) << emptied.error().cause;
        return name;
    }
    std::string make() {
        std::string name = prefix_ + std::to_string(++last_);
        run("CREATE DATABASE " + name);
        return name;
    }
    void drop(const std::string& name) { run("DROP DATABASE " + name + " WITH (FORCE)"); }
    void give_back(const std::string& name) { free_.push_back(name); }

  private:
    Server() {
        target_ = parse_postgres_url({.url = lab::test::postgres_url()}).value();
        session_ = PostgresSession::open(ctx_, target_).value();
    }
    ~Server() {
        sessions_.clear();
        for (const std::string& name : made_) {
            drop(name);
        }
    }
    void run(const std::string& sql) {
        const Status done = session_->run_script(ctx_, "server", sql);
        EXPECT_TRUE(done) << sql << ": " << done.error().cause;
    }

    SystemClock clock_;
    Ctx ctx_{clock_};
    std::unique_ptr<PostgresSession> session_;
    std::string prefix_ = "lab_" + std::to_string(::getpid()) + "_";
    int last_ = 0;
    PostgresTarget target_;
    std::vector<std::string> made_;
    std::vector<std::string> free_;
    std::map<std::string, std::unique_ptr<PostgresSession>> sessions_;
};

}  // namespace

ServerDatabase::ServerDatabase(Schema schema)
    : schema_(schema),
      name_(schema == Schema::none ? Server::instance().make() : Server::instance().take()) {}
ServerDatabase::~ServerDatabase() {
    if (schema_ == Schema::none) {
        Server::instance().drop(name_);
    } else {
        Server::instance().give_back(name_);
    }
}

std::string ServerDatabase::url(Backend backend) const {
    return lab::test::with_database(
        backend == Backend::pgbouncer ? lab::test::pgbouncer_url() : lab::test::postgres_url(),
        name_
    );
}

}  // namespace lab::storage::test
