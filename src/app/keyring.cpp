#include "app/keyring.h"

#include "base/text.h"

#include <dlfcn.h>

namespace lab::app {
namespace {

// What of libsecret 0.20 and GLib is used, as their headers declare it; they are not needed to
// build. Source: libsecret-1 reference, "Simple password API".
struct GError {
    std::uint32_t domain;
    int code;
    char* message;
};
struct SecretSchemaAttribute {
    const char* name;
    int type;  // 0 = string
};
struct SecretSchema {
    const char* name;
    int flags;
    SecretSchemaAttribute attributes[32];
    int reserved;
    void* reserved_more[7];
};
using StoreFn = int (*)(
    const SecretSchema*,
    const char* collection,
    const char* label,
    const char* password,
    void* cancellable,
    GError** error,
    ...
);
using LookupFn = char* (*)(const SecretSchema*, void* cancellable, GError** error, ...);
using ClearFn = int (*)(const SecretSchema*, void* cancellable, GError** error, ...);
using FreeFn = void (*)(char*);
using ErrorFreeFn = void (*)(GError*);

const SecretSchema& schema() {
    static const SecretSchema kSchema{
        .name = "org.llm-research.Credential",
        .flags = 0,
        .attributes = {{.name = "account", .type = 0}},
        .reserved = 0,
        .reserved_more = {},
    };
    return kSchema;
}

class SecretService final : public cli::Keyring {
  public:
    Status store(const std::string& account, const std::string& secret) override {
        LAB_CHECK(open());
        GError* error = nullptr;
        const std::string label = "llm-research: " + account;
        store_(
            &schema(),
            nullptr,
            label.c_str(),
            secret.c_str(),
            nullptr,
            &error,
            "account",
            account.c_str(),
            nullptr
        );
        return outcome(error);
    }

    Result<std::optional<std::string>> load(const std::string& account) override {
        LAB_CHECK(open());
        GError* error = nullptr;
        char* found = lookup_(&schema(), nullptr, &error, "account", account.c_str(), nullptr);
        LAB_CHECK(outcome(error));
        if (found == nullptr) {
            return std::optional<std::string>();
        }
        std::string out(found);
        free_(found);
        return std::optional(std::move(out));
    }

    Status erase(const std::string& account) override {
        LAB_CHECK(open());
        GError* error = nullptr;
        clear_(&schema(), nullptr, &error, "account", account.c_str(), nullptr);
        return outcome(error);
    }

  private:
    template <class Fn>
    bool find(void* library, const char* name, Fn& into) {
        into = reinterpret_cast<Fn>(::dlsym(library, name));
        return into != nullptr;
    }

    Status open() {
        if (store_ != nullptr) {
            return ok();
        }
        void* library = ::dlopen("libsecret-1.so.0", RTLD_NOW | RTLD_GLOBAL);
        StoreFn store = nullptr;
        if (library == nullptr || !find(library, "secret_password_lookup_sync", lookup_) ||
            !find(library, "secret_password_clear_sync", clear_) ||
            !find(library, "secret_password_free", free_) ||
            !find(library, "g_error_free", error_free_) ||
            !find(library, "secret_password_store_sync", store)) {
            return Error(
                Code::unavailable,
                "there is no keyring here: libsecret-1.so.0 is not installed (Debian: "
                "libsecret-1-0); log in without --use-keyring"
            );
        }
        store_ = store;
        return ok();
    }

    Status outcome(GError* error) const {
        if (error == nullptr) {
            return ok();
        }
        const std::string why = shorten(sanitize_utf8(error->message), 200);
        error_free_(error);
        return Error(
            Code::unavailable,
            "the keyring does not answer: " + why + "; log in without --use-keyring"
        );
    }

    StoreFn store_ = nullptr;
    LookupFn lookup_ = nullptr;
    ClearFn clear_ = nullptr;
    FreeFn free_ = nullptr;
    ErrorFreeFn error_free_ = nullptr;
};

}  // namespace

std::unique_ptr<cli::Keyring> make_keyring() { return std::make_unique<SecretService>(); }

}  // namespace lab::app
