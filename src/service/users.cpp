#include "service/users.h"

#include "base/text.h"
#include "platform/json/schema.h"
#include "service/audit.h"
#include "service/impl/identity_impl.h"
#include "service/impl/user_writing.h"
#include "storage/store/tokens.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace lab::service {
namespace {

using domain::Permission;
using domain::Role;
using storage::User;
using storage::Users;

constexpr std::size_t kPasswordBytesMin = 12;
constexpr std::size_t kEmailBytesMax = 254;  // RFC 5321 section 4.5.3.1.3

/// Of the lists of leaked passwords, those that are long enough to be tried here.
constexpr std::string_view kCommonPasswords[] = {
    "123456789012",
    "1234567890123",
    "12345678901234",
    "123456789123",
    "123123123123",
    "111111111111",
    "000000000000",
    "121212121212",
    "password1234",
    "password12345",
    "password123456",
    "passwordpassword",
    "password!123",
    "passw0rd1234",
    "p@ssw0rd1234",
    "p@ssword1234",
    "mypassword123",
    "adminpassword",
    "admin1234567",
    "administrator",
    "administrator1",
    "administrator123",
    "adminadmin123",
    "adminadminadmin",
    "changeme1234",
    "changemechangeme",
    "changethispassword",
    "letmeinletmein",
    "letmein123456",
    "welcome12345",
    "welcome123456",
    "welcomewelcome",
    "qwertyuiop12",
    "qwertyuiop123",
    "qwertyuiopasdf",
    "qwertyuiopasdfghjkl",
    "qwerty123456",
    "qwertyqwerty",
    "1q2w3e4r5t6y",
    "1q2w3e4r5t6y7u8i",
    "1qaz2wsx3edc",
    "1qaz2wsx3edc4rfv",
    "zaq12wsxcde3",
    "asdfghjkl123",
    "abcdefghijkl",
    "abcd12345678",
    "abc123456789",
    "aaaaaaaaaaaa",
    "iloveyou1234",
    "iloveyouiloveyou",
    "sunshine1234",
    "princess1234",
    "football1234",
    "baseball1234",
    "superman1234",
    "dragon123456",
    "monkey123456",
    "trustno1trustno1",
    "correcthorsebatterystaple",
    "llm-research",
    "llm-research-lab",
    "llmresearchlab",
    "secretsecret",
    "supersecret123",
    "testtesttest",
    "test12345678",
    "default12345",
    "company12345",
};

Json enum_of(std::span<const std::string> words) {
    return {{"type", "string"}, {"enum", std::vector<std::string>(words.begin(), words.end())}};
}

Json user_properties() {
    const std::vector<std::string> tiers{
        "free", "standard", "professional", "enterprise", "unlimited", "basic", "pro", "premium"
    };
    return {
        {"email",
         {{"type", "string"},
          {"minLength", 3},
          {"maxLength", kEmailBytesMax},
          {"pattern",
           "^[^@\\s\\x00-\\x1f\\x7f\"<>(),;:\\\\]+@[^@\\s\\x00-\\x1f\\x7f\"<>(),;:\\\\]+$"},
          {"x-hint", "an e-mail address"}}},
        {"name",
         {{"type", "string"},
          {"minLength", 1},
          {"maxLength", 255},
          {"pattern", "^[^\\x00-\\x1f\\x7f]+$"},
          {"x-hint", "a name without line breaks"}}},
        {"password",
         {{"type", "string"},
          {"minLength", kPasswordBytesMin},
          {"maxLength", PasswordHasher::kPasswordBytesMax},
          {"writeOnly", true}}},
        {"roles",
         {{"type", "array"},
          {"minItems", 1},
          {"maxItems", domain::kRoles},
          {"items", enum_of(domain::role_names())}}},
        {"rate_limit_tier", enum_of(tiers)},
        {"is_active", {{"type", "boolean"}}},
    };
}

Error not_as_given(std::vector<Detail> problems) {
    return {Code::validation, "the user cannot be as given", std::move(problems)};
}

std::vector<Role> roles_of(const Json& list) {
    std::vector<Role> out;
    for (const Json& word : list) {
        const auto role = domain::role_from(word.get_ref<const std::string&>());
        if (role && std::ranges::find(out, *role) == out.end()) {
            out.push_back(*role);
        }
    }
    std::ranges::sort(out);
    return out;
}

domain::Tier tier_of(const Json& body, domain::Tier otherwise) {
    return domain::tier_from(body.value("rate_limit_tier", "")).value_or(otherwise);
}

void add_password_problems(
    std::vector<Detail>& problems, std::string_view password, std::string_view email
) {
    for (std::string& problem : password_problems(password, email)) {
        problems.push_back({"password", std::move(problem)});
    }
}

bool is_active_admin(const User& user) {
    return user.is_active && std::ranges::find(user.roles, Role::admin) != user.roles.end();
}

/// Whoever takes somebody over may do what they may.
domain::PermissionSet rights_through(const User& user) {
    return domain::permissions_of(user.roles);
}

Error no_such_user() { return {Code::not_found, "there is no user with this id"}; }

/// Errors: conflict when the change would leave the tenant without an administrator.
Status keep_an_admin(const Request& request, const User& before, const User& after) {
    if (!is_active_admin(before) || is_active_admin(after)) {
        return ok();
    }
    LAB_TRY(
        const storage::RowCount admins,
        Users(request.session)
            .count(request.ctx, before.org, {.is_active = true, .role = Role::admin})
    );
    return admins.rows > 1 ? ok()
                           : Status(Error(Code::conflict, "this is the last active administrator"));
}

Json names_of(std::span<const Role> roles) {
    Json out = Json::array();
    for (const Role role : roles) {
        out.push_back(to_string(role));
    }
    return out;
}

std::vector<Role> without(std::span<const Role> roles, std::span<const Role> others) {
    std::vector<Role> out;
    std::ranges::copy_if(roles, std::back_inserter(out), [&](Role role) {
        return std::ranges::find(others, role) == others.end();
    });
    return out;
}

Status audit_roles(
    const Request& request, const User& user, AuditAction action, const std::vector<Role>& roles
) {
    if (roles.empty()) {
        return ok();
    }
    AuditEvent event = audit_event(request.caller, AuditType::security, action, "user", user.id);
    event.details = AuditDetails(Json{{"roles", names_of(roles)}});
    return write_audit(request, event);
}

Status audit_update(const Request& request, const User& before, const User& after) {
    AuditEvent event = audit_event(
        request.caller, AuditType::data_modification, AuditAction::update, "user", after.id
    );
    event.details = AuditDetails(audit_changes(show_user(before), show_user(after)));
    LAB_CHECK(write_audit(request, event));
    LAB_CHECK(audit_roles(
        request, after, AuditAction::permission_granted, without(after.roles, before.roles)
    ));
    LAB_CHECK(audit_roles(
        request, after, AuditAction::permission_revoked, without(before.roles, after.roles)
    ));
    if (before.password_hash == after.password_hash) {
        return ok();
    }
    return write_audit(
        request,
        audit_event(
            request.caller, AuditType::security, AuditAction::password_reset, "user", after.id
        )
    );
}

/// What the changes make of the user; the password is left to the caller.
User changed(const User& before, const Json& changes) {
    User out = before;
    if (const auto found = changes.find("email"); found != changes.end()) {
        out.email = normal_email(found->get_ref<const std::string&>());
    }
    out.name = changes.value("name", out.name);
    if (const auto found = changes.find("roles"); found != changes.end()) {
        out.roles = roles_of(*found);
    }
    out.tier = tier_of(changes, out.tier);
    out.is_active = changes.value("is_active", out.is_active);
    return out;
}

Error email_taken(const Request& request, const std::string& email) {
    Error error(Code::conflict, "there is a user with this e-mail address");
    // PostgreSQL answers nothing else before what failed is undone; the caller gives up anyway.
    request.session.rollback();
    const auto found = Users(request.session).find_by_email(request.ctx, email);
    if (found) {
        const std::optional<User>& other = *found;
        if (other && other->org == request.caller.org) {
            error.details.push_back({"existing_id", other->id});
        }
    }
    return error;
}

/// In a transaction, with the users of the tenant locked.
Status store_change(const Request& request, Identity& identity, const User& before, User& after) {
    after.updated_at = identity.now_text();
    const auto written = Users(request.session).update(request.ctx, after);
    if (!written) {
        return written.error().code == Code::conflict ? email_taken(request, after.email)
                                                      : written.error();
    }
    if (!*written) {
        return Error(Code::conflict, "somebody else has changed the user: read it again");
    }
    if (before.password_hash != after.password_hash || !after.is_active) {
        const std::string why = after.is_active ? "password changed" : "user not active";
        LAB_CHECK(storage::LoginSessions(request.session)
                      .end_all(request.ctx, after.org, after.id, after.updated_at, why));
    }
    return ok();
}

}  // namespace

const Json& new_user_schema() {
    static const Json kSchema = [] {
        Json properties = user_properties();
        properties.erase("is_active");
        return Json{
            {"type", "object"},
            {"properties", std::move(properties)},
            {"required", {"email", "name", "roles"}},
            {"additionalProperties", false},
        };
    }();
    return kSchema;
}

const Json& user_changes_schema() {
    static const Json kSchema = {
        {"type", "object"},
        {"properties", user_properties()},
        {"additionalProperties", false},
    };
    return kSchema;
}

std::vector<std::string> password_problems(std::string_view password, std::string_view email) {
    std::vector<std::string> out;
    if (password.size() < kPasswordBytesMin ||
        password.size() > PasswordHasher::kPasswordBytesMax) {
        out.emplace_back("must have 12 to 1024 bytes");
        return out;
    }
    const std::string lower = to_lower(trim(password));
    if (lower == normal_email(email)) {
        out.emplace_back("must not be the e-mail address");
    }
    if (std::ranges::find(kCommonPasswords, lower) != std::end(kCommonPasswords)) {
        out.emplace_back("is one of the most common passwords");
    }
    return out;
}

Status require_all(const Caller& caller, const domain::PermissionSet& rights) {
    const domain::PermissionSet missing = rights & ~caller.granted;
    for (std::size_t i = 0; i < domain::kPermissions; ++i) {
        if (missing[i]) {
            const std::string scope(domain::scope_of(static_cast<Permission>(i)));
            return Error(
                Code::forbidden,
                "nobody can give or take over more than they may do: this needs " + scope,
                {{"required_permission", scope}}
            );
        }
    }
    return ok();
}

Json show_user(const User& user) {
    return {
        {"id", user.id},
        {"email", user.email},
        {"name", user.name},
        {"roles", names_of(user.roles)},
        {"rate_limit_tier", to_string(user.tier)},
        {"is_active", user.is_active},
        {"last_login_at", user.last_login_at.empty() ? Json() : Json(user.last_login_at)},
        {"created_at", user.created_at},
        {"updated_at", user.updated_at},
    };
}

Result<User> prepare_user(const Ctx& ctx, Identity& identity, const NewUser& user) {
    std::vector<Detail> problems;
    User out;
    out.email = normal_email(user.email);
    const Json shape = {{"email", out.email}, {"name", user.name}};
    Json schema = new_user_schema();
    schema["required"] = {"email", "name"};
    problems = check_schema(shape, schema);
    if (user.roles.empty()) {
        problems.push_back({"roles", "needs one at least"});
    }
    if (!user.password.empty()) {
        add_password_problems(problems, user.password, out.email);
    }
    if (!problems.empty()) {
        return not_as_given(std::move(problems));
    }
    out.id = identity.next_id();
    out.name = user.name;
    out.roles = user.roles;
    out.tier = user.tier;
    if (!user.password.empty()) {
        LAB_TRY(out.password_hash, identity.hash_password(ctx, user.password));
    }
    out.created_at = out.updated_at = identity.now_text();
    return out;
}

Status store_user(const Request& request, User& user) {
    if (const Status made = Users(request.session).create(request.ctx, user); !made) {
        return made.error().code == Code::conflict ? email_taken(request, user.email)
                                                   : made.error();
    }
    AuditEvent event = audit_event(
        request.caller, AuditType::data_modification, AuditAction::create, "user", user.id
    );
    event.details = AuditDetails(show_user(user));
    LAB_CHECK(write_audit(request, event));
    return audit_roles(request, user, AuditAction::permission_granted, user.roles);
}

Result<Shown> create_user(const Request& request, Identity& identity, const NewUser& user) {
    LAB_CHECK(require(request.caller, Permission::manage_users));
    LAB_CHECK(require_all(request.caller, domain::permissions_of(user.roles)));
    LAB_TRY(User made, prepare_user(request.ctx, identity, user));
    made.org = request.caller.org;
    LAB_TRY(auto transaction, storage::Transaction::begin(request.ctx, request.session));
    LAB_CHECK(store_user(request, made));
    LAB_CHECK(transaction.commit(request.ctx));
    return Shown{.json = show_user(made), .revision = made.revision};
}

Result<Shown> create_user(const Request& request, Identity& identity, const Json& body) {
    LAB_CHECK(require(request.caller, Permission::manage_users));
    if (auto problems = check_schema(body, new_user_schema()); !problems.empty()) {
        return not_as_given(std::move(problems));
    }
    return create_user(
        request,
        identity,
        NewUser{
            .email = body.value("email", ""),
            .name = body.value("name", ""),
            .password = body.value("password", ""),
            .roles = roles_of(body.at("roles")),
            .tier = tier_of(body, domain::Tier::professional),
        }
    );
}

Result<NounList> list_users(
    const Request& request, const storage::UserFilter& filter, const storage::ResourcePage& page
) {
    LAB_CHECK(require(request.caller, Permission::manage_users));
    Users users(request.session);
    storage::UserFilter lower = filter;
    if (lower.text) {
        lower.text = to_lower(*lower.text);
    }
    storage::ResourcePage one_more = page;
    ++one_more.limit;
    LAB_TRY(auto found, users.list(request.ctx, request.caller.org, lower, one_more));
    NounList out;
    LAB_TRY(out.total, users.count(request.ctx, request.caller.org, lower));
    out.more = std::ssize(found) > page.limit;
    if (out.more) {
        found.pop_back();
        if (!found.empty()) {
            out.last = storage::ResourceCursor{found.back().created_at, found.back().id};
        }
    }
    for (const User& user : found) {
        out.rows.push_back(show_user(user));
    }
    return out;
}

Result<Shown> get_user(const Request& request, const std::string& id) {
    LAB_CHECK(require(request.caller, Permission::manage_users));
    LAB_TRY(const auto user, Users(request.session).find(request.ctx, request.caller.org, id));
    if (!user) {
        return no_such_user();
    }
    return Shown{.json = show_user(*user), .revision = user->revision};
}

Result<Shown> update_user(
    const Request& request,
    Identity& identity,
    const std::string& id,
    const Json& changes,
    std::optional<std::int64_t> if_revision
) {
    LAB_CHECK(require(request.caller, Permission::manage_users));
    if (auto problems = check_schema(changes, user_changes_schema()); !problems.empty()) {
        return not_as_given(std::move(problems));
    }
    const Ctx& ctx = request.ctx;
    // Hashing takes long: before the lock, and only for somebody who is there.
    LAB_CHECK(get_user(request, id));
    std::string new_hash;
    if (changes.contains("password")) {
        LAB_TRY(new_hash, identity.hash_password(ctx, changes.value("password", "")));
    }
    LAB_TRY(auto transaction, storage::Transaction::begin(ctx, request.session));
    Users users(request.session);
    LAB_CHECK(users.lock(ctx, request.caller.org));
    LAB_TRY(const auto before, users.find(ctx, request.caller.org, id));
    if (!before) {
        return no_such_user();
    }
    if (if_revision && *if_revision != before->revision) {
        return Error(Code::precondition_failed, "the user has been changed meanwhile");
    }
    LAB_CHECK(require_all(request.caller, rights_through(*before)));
    User after = changed(*before, changes);
    LAB_CHECK(require_all(request.caller, rights_through(after)));
    LAB_CHECK(keep_an_admin(request, *before, after));
    if (!new_hash.empty()) {
        std::vector<Detail> problems;
        add_password_problems(problems, changes.value("password", ""), after.email);
        if (!problems.empty()) {
            return not_as_given(std::move(problems));
        }
        after.password_hash = new_hash;
    }
    LAB_CHECK(store_change(request, identity, *before, after));
    LAB_CHECK(audit_update(request, *before, after));
    LAB_CHECK(transaction.commit(ctx));
    identity.forget_user(id);
    return Shown{
        .json = show_user(after), .revision = after.revision, .before = show_user(*before)
    };
}

Status deactivate_user(
    const Request& request,
    Identity& identity,
    const std::string& id,
    std::optional<std::int64_t> if_revision
) {
    LAB_CHECK(update_user(request, identity, id, Json{{"is_active", false}}, if_revision));
    return ok();
}

Result<Json> change_password(
    const Request& request, Identity& identity, std::string_view current, std::string_view next
) {
    if (request.caller.kind != Caller::Kind::user) {
        return Error(Code::forbidden, "only who has logged in changes the own password");
    }
    const Ctx& ctx = request.ctx;
    Users users(request.session);
    LAB_TRY(const auto before, users.find(ctx, request.caller.org, request.caller.user_id));
    if (!before) {
        return no_such_user();
    }
    LAB_CHECK(identity.check_password(request, *before, current));
    std::vector<Detail> problems;
    add_password_problems(problems, next, before->email);
    if (next == current) {
        problems.push_back({"password", "must be another than before"});
    }
    if (!problems.empty()) {
        return not_as_given(std::move(problems));
    }
    User after = *before;
    LAB_TRY(after.password_hash, identity.hash_password(ctx, next));
    LAB_TRY(auto transaction, storage::Transaction::begin(ctx, request.session));
    LAB_CHECK(store_change(request, identity, *before, after));
    AuditEvent event = audit_event(
        request.caller, AuditType::security, AuditAction::password_change, "user", after.id
    );
    LAB_CHECK(write_audit(request, event));
    LAB_CHECK(transaction.commit(ctx));
    identity.forget_user(after.id);
    return identity.open_login(request, after);
}

}  // namespace lab::service
