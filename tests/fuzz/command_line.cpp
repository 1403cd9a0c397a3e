#include "cli/impl/command_line.h"

#include "base/text.h"
#include "cli/api_client.h"
#include "fuzz/fuzz.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>

namespace {
using namespace lab;
using namespace lab::cli;
using fuzz::require;

constexpr std::size_t kArgumentsMax = 64;
constexpr std::size_t kOutputBytesMax = 64U << 10;

/// What a command writes, in memory.
class Written {
  public:
    Written() : file_(::open_memstream(&text_, &size_)) {
        require(file_ != nullptr, "there is memory for an output");
    }
    ~Written() {
        std::fclose(file_);
        std::free(text_);
    }
    Written(const Written&) = delete;
    Written& operator=(const Written&) = delete;
    std::FILE* file() { return file_; }
    std::string_view text() {
        std::fflush(file_);
        return {text_, size_};
    }

  private:
    char* text_ = nullptr;
    std::size_t size_ = 0;
    std::FILE* file_;
};

/// The API in this process, which looks at what it is asked.
class FakeApi final : public Transport {
  public:
    explicit FakeApi(bool finds) : finds_(finds) {}

    ApiResponse send(const ApiRequest& request) override {
        require(++asked_ <= 16, "a command asks a few times");
        constexpr std::array kMethods{"GET", "POST", "PUT", "DELETE"};
        require(std::ranges::find(kMethods, request.method) != kMethods.end(), "a method is one");
        require(!request.is_whole_url(), "only what the API gave out is a whole URL");
        const std::string target = encode_target(request);
        require(
            std::ranges::all_of(target, [](char c) { return c > 0x20 && c < 0x7f; }),
            "a target is visible ASCII"
        );
        check_segments(request.path.substr(0, request.path.find('?')));
        if (!request.body.empty()) {
            const auto body = parse_json(request.body);
            require(body && body->is_object(), "a body is a JSON object");
        }
        ApiResponse out{.status = finds_ ? 200 : 404};
        out.body = finds_ ? R"({"id":"i","name":"n","status":"draft","data":[],"config":{}})"
                          : R"({"error":{"code":"not_found","message":"there is none"}})";
        return out;
    }
    ApiResponse stream(const ApiRequest& request, const Sink& /*sink*/) override {
        return send(request);
    }
    void stop() override {}
    void pause(Duration /*how_long*/) override {}
    void on_interrupt(std::function<void()> /*handler*/) override {}
    std::string where() const override { return "the store of this target"; }
    std::string url() const override { return ""; }

  private:
    /// What a user gave is one segment: no path leads out of its place, nor to the list above it.
    static void check_segments(std::string_view path) {
        require(path.starts_with('/'), "a path begins with /");
        path.remove_prefix(1);
        for (const std::string_view segment : split(path, '/')) {
            require(!segment.empty() && segment != "." && segment != "..", "a segment is one");
        }
    }

    const bool finds_;
    int asked_ = 0;
};

/// Arguments that stand for files are none here.
std::vector<std::string> arguments_of(std::string_view text) {
    std::vector<std::string> out{"llm-research"};
    while (!text.empty() && out.size() < kArgumentsMax) {
        std::string argument(fuzz::take_until(text, '\n'));
        std::ranges::replace(argument, '@', 'a');
        std::erase(argument, '\0');
        out.push_back(std::move(argument));
    }
    return out;
}

/// Commands that only ask the API, once or twice.
bool is_carried_out(const CommandLine& line) {
    constexpr std::array<std::string_view, 5> kGroups{
        "experiments", "models", "prompts", "evaluations", "datasets"
    };
    constexpr std::array<std::string_view, 8> kOthers{
        "start", "resume", "follow", "report", "import", "imported", "upload", "download"
    };
    const std::string path = line.path();
    const auto words = split(path, ' ');
    return words.size() == 3 && line.globals().save.empty() &&
           std::ranges::find(kGroups, words[1]) != kGroups.end() &&
           std::ranges::find(kOthers, words[2]) == kOthers.end();
}

struct Outcome {
    std::optional<int> code;
    std::string path;
    std::string out;
    std::string err;
    bool operator==(const Outcome&) const = default;
};

void carry_out(const CommandLine& line, Deps& deps, bool finds) {
    FakeApi api(finds);
    deps.connect = [&](const Settings&) -> Result<Transport*> { return &api; };
    Settings settings;
    settings.output = finds ? "json" : "table";
    const Console console = make_console(deps.out, deps.err, false, false);
    RandomUuids uuids;
    std::unique_ptr<ApiClient> client;
    const std::string key;
    const Invocation in{deps, settings, console, line.globals().save, key, uuids, client};
    const Result<int> code = line.action()(in);
    require(!code || *code == 0, "a command that asks has passed");
    require(code || !code.error().message.empty(), "an error says what is wrong");
}

Outcome read(const std::vector<std::string>& arguments, unsigned choice) {
    std::vector<const char*> pointers;
    std::ranges::transform(arguments, std::back_inserter(pointers), &std::string::c_str);
    Written out;
    Written err;
    Deps deps;
    deps.env = [](const std::string&) { return std::nullopt; };
    deps.version = "1";
    deps.out = out.file();
    deps.err = err.file();
    CommandLine line(deps.version);
    Outcome outcome;
    outcome.code = line.read(static_cast<int>(pointers.size()), pointers.data(), deps);
    outcome.path = line.path();
    outcome.out = out.text();
    outcome.err = err.text();
    if (!outcome.code && is_carried_out(line)) {
        carry_out(line, deps, choice % 2 == 0);
    }
    return outcome;
}
}  // namespace

// A command line, one argument a line, as far as it goes without a file or a network: commands that
// only ask the API are carried out against one that looks at what it is asked. The first byte:
// whether it finds (even) what is asked for.
FUZZ_TARGET(command_line) {
    std::string_view text = input;
    const unsigned choice = fuzz::take_choice(text);
    const std::vector<std::string> arguments = arguments_of(text);
    const Outcome outcome = read(arguments, choice);
    require(outcome.out.size() + outcome.err.size() <= kOutputBytesMax, "an output has a length");
    require(outcome.path.starts_with("llm-research"), "a command is called by its name");
    if (!outcome.code) {
        require(outcome.out.empty() && outcome.err.empty(), "what is right is not talked about");
    } else if (*outcome.code == 0) {
        require(!outcome.out.empty() && outcome.err.empty(), "help is an output");
        require(is_utf8(outcome.out), "help is UTF-8");
    } else {
        require(*outcome.code == 2, "a mistake has its exit code");
        require(outcome.out.empty(), "a mistake is no output");
        require(outcome.err.starts_with("error: "), "a mistake is called one");
        require(outcome.err.contains("--help"), "and says where to read on");
        require(is_utf8(outcome.err), "and is UTF-8");
    }
}
