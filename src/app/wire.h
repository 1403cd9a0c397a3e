#pragma once
#include "platform/config/settings.h"
#include "platform/http/client.h"
#include "providers/observed.h"
#include "service/deps.h"
#include "storage/store/observed.h"

#include <memory>

namespace lab::app {

/// Who is told of what a program does; null = nobody. They outlive it.
struct Observers {
    service::Observer* service = nullptr;
    storage::StatementObserver* statements = nullptr;
    providers::CallObserver* calls = nullptr;
};

/// Everything concrete, built top-down and destroyed in reverse. What costs time (the database, the
/// HTTP client) is built when it is first needed.
class Program {
  public:
    /// `outbound`: how calls leave; by default as the command line's, to wherever its user says.
    Program(
        Settings settings,
        EnvLookup env,
        Observers observers = {},
        http::ClientOptions outbound = {}
    );
    ~Program();
    /// Objects are kept there too. Before they are first asked for.
    void use_store(std::shared_ptr<storage::ObjectStore> store);
    /// What happens to runs and experiments is noted for analytics. Before the first use of deps().
    void keep_outbox();
    service::Deps& deps();
    Executor& loop();
    /// The store is this PostgreSQL, not a file of the home. Before the store is first asked for.
    void use_postgres(std::string url, std::string application_name);

  private:
    struct Parts;
    std::unique_ptr<Parts> parts_;
};

/// What experiment files may name.
const domain::SpecVocabulary& vocabulary();

std::string_view version();
std::string build_words();

}  // namespace lab::app
