#include "cli/remote_parts.h"

#include "base/percent.h"
#include "base/text.h"
#include "cli/upload.h"
#include "platform/crypto/sha256.h"
#include "platform/data/row_reader.h"

#include <algorithm>
#include <filesystem>

namespace lab::cli {
namespace {

constexpr int kPageRows = 100;
constexpr int kPagesMax = 50;

/// Goes through a list until `wanted` finds what it looks for; null without.
Result<Json> find_in_list(
    ApiClient& client,
    const std::string& path,
    const std::vector<std::pair<std::string, std::string>>& query,
    const std::function<bool(const Json&)>& wanted
) {
    for (int page = 0; page < kPagesMax; ++page) {
        ApiRequest request{.path = path, .query = query};
        request.query.emplace_back("limit", std::to_string(kPageRows));
        request.query.emplace_back("offset", std::to_string(page * kPageRows));
        LAB_TRY(const Json answer, client.call(std::move(request)));
        for (const Json& one : answer.value("data", Json::array())) {
            if (wanted(one)) {
                return one;
            }
        }
        if (!answer.value("pagination", Json::object()).value("has_more", false)) {
            break;
        }
    }
    return Json();
}

std::string short_hash(const Json& value) { return sha256_hex(canonical_json(value)).substr(0, 8); }

/// Id that a conflict names.
std::string existing_id(const Error& error) {
    const auto found = std::ranges::find(error.details, "existing id", &Detail::field);
    return error.code == Code::conflict && found != error.details.end() ? found->message : "";
}

/// Makes it, or finds the caller's own of this name. `is_it` decides whether that one will do; if
/// not, a name with `mark` behind is tried.
Result<std::string> make_or_find(
    ApiClient& client,
    const std::string& path,
    Json body,
    const std::string& mark,
    const std::function<bool(const Json&)>& is_it
) {
    const std::string name = body.value("name", "");
    for (const std::string& tried : {name, shorten(name, 240) + " (" + mark + ")"}) {
        body["name"] = tried;
        auto made = client.post(path, body);
        if (made) {
            return made->value("id", "");
        }
        const std::string id = existing_id(made.error());
        if (id.empty()) {
            return made.error();
        }
        LAB_TRY(const Json existing, client.get(path + "/" + percent_encode(id)));
        if (is_it(existing)) {
            return id;
        }
    }
    return Error(
        Code::conflict,
        "\"" + name + "\" exists in " + client.transport().where() +
            " and is something else: choose another name"
    );
}

Result<RemoteRows> find_version(ApiClient& client, const std::string& id, const std::string& hash) {
    LAB_TRY(const Json versions, client.get("/datasets/" + percent_encode(id) + "/versions"));
    for (const Json& version : versions) {
        if (version.is_object() && version.value("content_hash", Json()) == Json(hash)) {
            return RemoteRows{
                .dataset_id = id, .version = version.value("version", std::int64_t{0})
            };
        }
    }
    return RemoteRows{};
}

}  // namespace

Result<std::string> hash_of_rows(const std::string& path, const std::string& format) {
    std::string kind = format;
    if (kind.empty()) {
        LAB_TRY(kind, data_format_of_path(path));
    }
    LAB_TRY(const auto reader, open_rows(path, kind));
    Sha256 hash;
    DataRow row;
    std::string text;
    while (true) {
        LAB_TRY(const bool more, reader->next(row));
        if (!more) {
            return to_hex(hash.finish());
        }
        text.clear();
        append_canonical_json(text, row.value);
        text += '\n';
        hash.update(text);
    }
}

Result<RemoteRows> place_rows(
    ApiClient& client, const LocalRows& rows, const std::function<void(const std::string&)>& say
) {
    const Json body = {{"name", rows.name}, {"format", "jsonl"}};
    const auto made = client.post("/datasets", body);
    std::string id = made ? made->value("id", "") : existing_id(made.error());
    if (id.empty() && made.error().code != Code::forbidden) {
        return made.error();
    }
    if (id.empty()) {
        // Who may not make datasets may use those of others.
        LAB_TRY(const Json found, find_in_list(client, "/datasets", {}, [&](const Json& one) {
                    return one.value("name", "") == rows.name;
                }));
        if (found.is_null()) {
            return made.error();
        }
        id = found.value("id", "");
    }
    LAB_TRY(RemoteRows there, find_version(client, id, rows.content_hash));
    if (!there.dataset_id.empty()) {
        return there;
    }
    say("uploading " + rows.path + " as the dataset " + rows.name);
    Json announced = Json::object();
    if (!rows.format.empty()) {
        announced["format"] = rows.format;
    }
    LAB_TRY(const Json version, upload_rows(client, id, rows.path, std::move(announced)));
    return RemoteRows{.dataset_id = id, .version = version.value("version", std::int64_t{0})};
}

Result<std::string> place_model(ApiClient& client, const Json& wanted) {
    const auto same = [&](const Json& one) {
        return one.value("provider", "") == wanted.value("provider", "") &&
               one.value("model_identifier", "") == wanted.value("model_identifier", "") &&
               canonical_json(one.value("config", Json::object())) ==
                   canonical_json(wanted.value("config", Json::object()));
    };
    const std::string name = wanted.value("name", "");
    LAB_TRY(
        const Json found,
        find_in_list(
            client,
            "/models",
            {{"provider", wanted.value("provider", "")}},
            [&](const Json& one) { return one.value("name", "").starts_with(name) && same(one); }
        )
    );
    if (found.is_object()) {
        return found.value("id", "");
    }
    auto made = make_or_find(client, "/models", wanted, short_hash(wanted), same);
    if (!made && made.error().code == Code::forbidden) {
        Error error = made.error();
        error.message = "the model " + name + " is not registered in " +
                        client.transport().where() +
                        ", and you may not register it: " + error.message;
        error.details.push_back({"", "somebody with models:write can: `llm-research models create`"}
        );
        return error;
    }
    return made;
}

Result<std::string> place_experiment(ApiClient& client, const Json& wanted) {
    const Json config = wanted.value("config", Json::object());
    return make_or_find(client, "/experiments", wanted, short_hash(config), [&](const Json& one) {
        return canonical_json(one.value("config", Json::object())) == canonical_json(config);
    });
}

Result<Json> model_body(
    const domain::ModelSpec& model, const Json& source, const std::string& path
) {
    static const std::vector<std::string> kProviders{
        "openai", "anthropic", "google", "azure", "huggingface", "cohere"
    };
    Json config = Json::object();
    for (const char* member : {"base_url", "pricing", "limits"}) {
        if (source.contains(member)) {
            config[member] = source[member];
        }
    }
    std::string provider = model.provider;
    if (std::ranges::find(kProviders, provider) == kProviders.end()) {
        if (model.base_url.empty() && !model.replay) {
            return Error(
                Code::validation,
                "the service knows no provider \"" + provider + "\"",
                {{path + ".provider",
                  "give provider: openai with the base_url of " + provider + "'s API"}}
            );
        }
        provider = "custom";
    }
    if (source.contains("headers")) {
        return Error(
            Code::validation,
            "a server does not take headers from an experiment file",
            {{path + ".headers", "take them out, or run it here"}}
        );
    }
    return Json{
        {"name", model.id},
        {"provider", provider},
        {"model_identifier", model.model.empty() ? model.id : model.model},
        {"config", std::move(config)},
    };
}

}  // namespace lab::cli
