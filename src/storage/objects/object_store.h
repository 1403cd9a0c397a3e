#pragma once
#include "base/ctx.h"

#include <functional>
#include <string>
#include <string_view>

namespace lab::storage {

/// A place that keeps objects for all replicas, by key; a folder is only one machine's. Any thread.
/// Errors of all: unavailable and upstream_error when the place cannot be used; those of `ctx`.
class ObjectStore {
  public:
    virtual ~ObjectStore() = default;
    /// Keeps the bytes of a file, whole or not at all; replaces what the key had. Errors: io.
    virtual Status put_file(
        const Ctx& ctx,
        const std::string& key,
        const std::string& path,
        const std::string& content_type
    ) = 0;
    /// Each byte once and in order; `sink` says false: enough, and cancelled. Errors: not_found.
    virtual Status get(
        const Ctx& ctx,
        const std::string& key,
        const std::function<bool(std::string_view bytes)>& sink
    ) = 0;
    /// What is not there is removed as well.
    virtual Status remove(const Ctx& ctx, const std::string& key) = 0;
    /// Whether it can be used.
    virtual Status check(const Ctx& ctx) = 0;
    /// Whether the last of all calls got no answer: a reason to check() at once. Never waits.
    virtual bool is_silent() { return false; }
};

/// An object as it is called: its file by its content, in a store by a key that people can read.
struct ObjectName {
    std::string hash;  ///< SHA-256 of the bytes, 64 hexadecimal digits
    std::string key;
};

/// Rows of a dataset are one object however many versions and runs share them, so their key says
/// what they are and not whose: datasets/sha256/HASH/data.jsonl.
ObjectName rows_object(const std::string& hash);

}  // namespace lab::storage
