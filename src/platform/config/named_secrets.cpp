#include "platform/config/named_secrets.h"

#include "base/text.h"
#include "platform/config/impl/weak_secret.h"
#include "platform/json/json.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>

namespace lab {
namespace {

constexpr std::size_t kNameBytesMax = 2'048;  // of an ARN
constexpr std::size_t kMemberBytesMax = 256;
constexpr std::string_view kSecretService = "secretsmanager";

struct ByArn {
    const char* key;
    const char* arn;
};
constexpr std::array kByArn{
    ByArn{"JWT_SECRET", "JWT_SECRET_ARN"},
    ByArn{"API_KEY_SECRET", "API_KEY_SECRET_ARN"},
};
/// With these the service is asked.
constexpr std::array kNeverNamed{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"};

std::string text_of(const EnvLookup& environment, const std::string& key) {
    return std::string(trim_ascii(environment(key).value_or("")));
}

bool is_pair(std::string_view key) {
    return std::ranges::any_of(kByArn, [&](const ByArn& one) { return key == one.key; });
}

Error in(const std::string& setting, Error error) {
    error.message = setting + ": " + error.message;
    return error;
}

}  // namespace

Result<SecretName> parse_secret_name(std::string_view text) {
    const bool is_plain = std::ranges::all_of(text, [](char c) { return c > 0x20 && c < 0x7f; });
    const std::size_t sharp = text.find('#');
    SecretName out{.id = std::string(text.substr(0, sharp))};
    if (sharp != text.npos) {
        out.member = text.substr(sharp + 1);
    }
    const bool is_member =
        sharp == text.npos || (!out.member.empty() && out.member.size() <= kMemberBytesMax &&
                               out.member.find('#') == std::string::npos);
    if (!is_plain || out.id.empty() || out.id.size() > kNameBytesMax || !is_member) {
        return Error(
            Code::validation,
            "has to name a secret: aws-sm://NAME or aws-sm://ARN, with #MEMBER for one member of a "
            "JSON object"
        );
    }
    if (out.id.starts_with("arn:")) {
        const auto parts = split(out.id, ':');
        if (parts.size() < 7 || parts[2] != kSecretService || parts[3].empty()) {
            return Error(
                Code::validation,
                "has to be the ARN of a secret: arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME"
            );
        }
    }
    return out;
}

Result<std::string> pick_member(const SecretName& name, std::string_view secret) {
    if (name.member.empty()) {
        return std::string(trim_ascii(secret));
    }
    const auto object = parse_json(secret);
    if (!object || !object->is_object()) {
        return Error(
            Code::validation, "the secret is no JSON object, so it has no member " + name.member
        );
    }
    const auto found = object->find(name.member);
    if (found == object->end()) {
        return Error(Code::validation, "the secret has no member " + name.member);
    }
    if (found->is_string()) {
        return std::string(trim_ascii(found->get_ref<const std::string&>()));
    }
    return found->is_number()
               ? Result<std::string>(dump_json(*found))
               : Error(Code::validation, "the member " + name.member + " of the secret is no text");
}

NamedSecrets::NamedSecrets(EnvLookup environment, SecretSource source, const Clock& clock)
    : environment_(std::move(environment)), source_(std::move(source)), clock_(clock) {}

Status NamedSecrets::find_names() {
    std::vector<Detail> problems;
    const auto add = [&](const std::string& key, const std::string& given, std::string_view text) {
        if (auto name = parse_secret_name(text)) {
            named_.push_back({.key = key, .given = given, .name = *std::move(name)});
            named_.back().is_pair = is_pair(key);
        } else {
            problems.push_back({given, name.error().message});
        }
    };
    for (const ServerSettingInfo& info : server_setting_table()) {
        for (const std::string_view spelling : {info.key, info.alias}) {
            const std::string variable(spelling);
            const std::string text = variable.empty() ? "" : text_of(environment_, variable);
            if (!info.secret || !text.starts_with(kSecretScheme)) {
                continue;
            }
            if (std::ranges::find(kNeverNamed, variable) != kNeverNamed.end()) {
                problems.push_back({variable, "cannot be kept in the service that it opens"});
            } else {
                add(variable, variable, std::string_view(text).substr(kSecretScheme.size()));
            }
        }
    }
    for (const ByArn& one : kByArn) {
        const std::string arn = text_of(environment_, one.arn);
        if (!arn.empty() && text_of(environment_, one.key).empty()) {
            add(one.key, one.arn, arn);
            if (!arn.starts_with("arn:")) {
                problems.push_back({one.arn, "has to be the ARN of a secret"});
            }
        }
    }
    if (problems.empty()) {
        return ok();
    }
    return Error(Code::validation, "the configuration is not right", std::move(problems));
}

Result<SecretText> NamedSecrets::ask(const Ctx& ctx, const std::string& id, Answers& answers)
    const {
    const auto known = answers.find(id);
    return known != answers.end()
               ? known->second
               : answers.emplace(id, source_(ctx, id, SecretStage::current)).first->second;
}

/// The present value. The previous one is asked for once only: later on it is what was the present
/// one before.
Result<NamedSecrets::Named> NamedSecrets::fetch(const Ctx& ctx, Named named, Answers& answers)
    const {
    LAB_TRY(const SecretText now, ask(ctx, named.name.id, answers));
    LAB_TRY(std::string value, pick_member(named.name, now.text));
    if (value.empty()) {
        return Error(Code::validation, "the secret is empty");
    }
    const bool is_first = named.value.empty();
    named.value = std::move(value);
    if (!is_first || !named.is_pair) {
        return named;
    }
    named.made_at = now.made_at;
    const auto before = source_(ctx, named.name.id, SecretStage::previous);
    if (!before && before.error().code != Code::not_found) {
        return before.error();
    }
    const auto text = before ? pick_member(named.name, before->text) : Result<std::string>("");
    // One that could never have been used is none.
    if (text && text->size() >= config::kSecretBytesMin && *text != named.value) {
        named.previous = *text;
    }
    return named;
}

Status NamedSecrets::open(const Ctx& ctx) {
    LAB_CHECK(find_names());
    Answers answers;
    for (Named& named : named_) {
        auto fetched = fetch(ctx, named, answers);
        if (!fetched) {
            return in(named.given, std::move(fetched).error());
        }
        named = *std::move(fetched);
    }
    return ok();
}

void NamedSecrets::set_settle(Duration settle) {
    const std::scoped_lock lock(mutex_);
    for (Named& named : named_) {
        const auto made_at = named.made_at;
        if (made_at && !named.previous.empty()) {
            // A clock that is behind the service's makes it younger than new.
            const std::chrono::microseconds age = std::clamp<std::chrono::microseconds>(
                clock_.wall() - *made_at, std::chrono::microseconds(0), std::chrono::hours(48)
            );
            named.use_at = clock_.now() + std::max<Duration>(settle - age, Duration::zero());
        }
    }
}

const NamedSecrets::Named* NamedSecrets::find(const std::string& key) const {
    const auto found = std::ranges::find(named_, key, &Named::key);
    return found == named_.end() ? nullptr : &*found;
}

std::optional<std::string> NamedSecrets::value(const std::string& key) const {
    const std::scoped_lock lock(mutex_);
    const Named* const named = find(key);
    return named == nullptr ? std::nullopt : std::optional(named->value);
}

std::optional<SecretPair> NamedSecrets::pair(const std::string& key) const {
    const std::scoped_lock lock(mutex_);
    const Named* const named = find(key);
    if (named == nullptr) {
        return std::nullopt;
    }
    const bool is_settled = named->previous.empty() || clock_.now() >= named->use_at;
    return is_settled ? SecretPair{named->value, named->previous}
                      : SecretPair{named->previous, named->value};
}

EnvLookup NamedSecrets::environment() const {
    return [this](const std::string& name) {
        auto kept = value(name);
        return kept ? std::move(kept) : environment_(name);
    };
}

void NamedSecrets::explain(ServerSettings& settings) const {
    for (const Named& named : named_) {
        for (SettingRow& row : settings.rows) {
            if (row.key == named.key || row.from == "environment " + named.key) {
                row.from = "secrets service, by " + named.given;
            }
        }
    }
}

NamedSecrets::Changes NamedSecrets::refresh(const Ctx& ctx, Duration settle) {
    std::vector<Named> fresh;
    {
        const std::scoped_lock lock(mutex_);
        fresh = named_;
    }
    std::vector<Detail> problems;
    Answers answers;
    for (Named& named : fresh) {
        if (auto fetched = fetch(ctx, named, answers)) {
            named = *std::move(fetched);
        } else {
            problems.push_back({named.given, fetched.error().message});
        }
    }
    return take(std::move(fresh), std::move(problems), settle);
}

/// Whatever is not right together with the rest of the settings is not taken.
NamedSecrets::Changes NamedSecrets::take(
    std::vector<Named> fresh, std::vector<Detail> problems, Duration settle
) {
    const auto checked = load_server_settings([&](const std::string& name) {
        const auto found = std::ranges::find(fresh, name, &Named::key);
        return found == fresh.end() ? environment_(name) : std::optional(found->value);
    });
    const auto is_wrong = [&](const Named& named) {
        return !checked && std::ranges::any_of(checked.error().details, [&](const Detail& detail) {
            return detail.field == named.key;
        });
    };
    Changes out{.keys = {}, .problems = std::move(problems)};
    const std::scoped_lock lock(mutex_);
    for (std::size_t i = 0; i < named_.size(); ++i) {
        Named& kept = named_[i];
        if (fresh[i].value == kept.value) {
            continue;
        }
        if (is_wrong(fresh[i])) {
            out.problems.push_back({kept.given, "its new value cannot be used"});
            continue;
        }
        if (kept.is_pair) {
            kept.previous = std::exchange(kept.value, fresh[i].value);
            kept.use_at = clock_.now() + settle;
        } else {
            kept.value = fresh[i].value;
        }
        out.keys.push_back(kept.key);
    }
    return out;
}

}  // namespace lab
