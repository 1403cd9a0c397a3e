#pragma once
#include "cli/api_client.h"
#include "cli/api_view.h"
#include "cli/commands.h"

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace lab::cli {

/// What the options of a command said.
struct ApiValues {
    std::map<std::string, std::string> arguments;  ///< positional, and options by their name
    Json body = Json::object();
    std::vector<std::pair<std::string, std::string>> query;
    bool force = false;
};

/// Declares one command over the API: which options go into the body or the query, which request
/// that makes, how the answer is shown. Lives until the tree is built.
class ApiCommand {
  public:
    ApiCommand(CLI::App& parent, const std::string& name, const std::string& help);

    /// A positional that stands in the path as {NAME}.
    ApiCommand& id(const std::string& name, const std::string& help);
    /// Options whose value becomes a member of the body. `flags`: "-n,--name".
    ApiCommand& text(
        const std::string& flags,
        const std::string& member,
        const std::string& help,
        bool required = false
    );
    /// Words separated by commas; an empty text is an empty list.
    ApiCommand& list(const std::string& flags, const std::string& member, const std::string& help);
    /// JSON, or @FILE with it.
    ApiCommand& json(const std::string& flags, const std::string& member, const std::string& help);
    /// The whole body as JSON, or @FILE; other options change members of it.
    ApiCommand& whole(const std::string& flags, const std::string& help);
    ApiCommand& yes(const std::string& flags, const std::string& member, const std::string& help);
    ApiCommand& query(
        const std::string& flags, const std::string& parameter, const std::string& help
    );
    ApiCommand& number(
        const std::string& flags, const std::string& parameter, const std::string& help
    );
    /// Remembered in `arguments` under the name of the flag without dashes.
    ApiCommand& value(const std::string& flags, const std::string& help, bool required = false);
    ApiCommand& force();
    ApiCommand& sample(std::initializer_list<std::string_view> lines);

    /// The command's request: "POST", "/experiments/{ID}/start".
    void sends(
        const Choose& choose, std::string method, std::string path, const Columns& columns = {}
    );
    /// DELETE after a question: asks on a terminal, refuses elsewhere without -f.
    void removes(const Choose& choose, std::string path, std::string what);
    using Work = std::function<Result<int>(const Invocation&, ApiClient&, ApiValues&)>;
    void does(const Choose& choose, Work work);

  private:
    CLI::App* app_;
    std::shared_ptr<ApiValues> values_ = std::make_shared<ApiValues>();
    bool takes_body_ = false;  ///< then one is sent, if it is empty
};

/// "/experiments/{ID}" with the arguments in it.
std::string fill_path(const std::string& path, const ApiValues& values);
/// Text, or what the file holds when it is @FILE. Errors: validation.
Result<std::string> text_or_file(const std::string& given);
/// The client of this invocation, made when it is first asked for.
Result<ApiClient*> api_of(const Invocation& in);
/// Asks whether it shall be done; an error without a terminal. Errors: validation.
Result<bool> confirm(const Invocation& in, const std::string& question);

}  // namespace lab::cli
