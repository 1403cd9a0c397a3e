#include "providers/impl/openai_reader.h"

#include "providers/impl/json_pull.h"
#include "providers/impl/reader.h"

namespace lab::providers {
namespace {

class OpenAiReader final : public BaseReader {
  public:
    using BaseReader::BaseReader;

  private:
    bool read_event(std::string_view type, std::string_view data) override {
        if (data == "[DONE]") {
            answer_.complete = true;
            return true;
        }
        JsonPull in(data);
        const bool shaped = read_object(in, type == "error");
        return in.finish() && shaped;
    }

    bool read_body(std::string_view body) override {
        JsonPull in(body);
        read_object(in, false);
        return in.finish() && has_message_;
    }

    bool cached_inside() const override { return true; }
    bool reasoning_inside() const override { return true; }

    /// One response or one chunk of it; false when it is an object of another kind.
    bool read_object(JsonPull& in, bool is_error) {
        bool shaped = false;
        ApiError flat;  // {"object": "error", "message": ..., "code": ...}, as vLLM has it
        const bool object = in.object([&](std::string_view key) {
            if (key == "choices") {
                shaped = true;
                read_choices(in);
            } else if (key == "usage") {
                shaped = true;
                read_usage(in);
            } else if (key == "model") {
                if (answer_.model.empty()) {
                    in.append_string(answer_.model);
                }
            } else if (key == "error" && in.peek() != JsonPull::Kind::null) {
                answer_.error = read_api_error(in);
            } else if (key == "object") {
                const std::string_view kind = in.raw();  // with its quotes
                is_error = is_error || kind == R"("error")";
                shaped = shaped || kind.ends_with(R"(.chunk")");
            } else if (key == "message") {
                flat.message = in.scalar_text().value_or("");
            } else if (key == "type") {
                flat.type = in.scalar_text().value_or("");
            } else if (key == "code") {
                flat.code = in.scalar_text().value_or("");
            } else if (key == "x_groq") {
                read_groq(in);
            }
        });
        if (is_error && !answer_.error) {
            answer_.error = std::move(flat);
        }
        answer_.begun = answer_.begun || shaped;
        return object && (shaped || answer_.error);
    }

    void read_choices(JsonPull& in) {
        bool first = true;  // more than one is refused before a call is made
        in.array([&] {
            if (std::exchange(first, false)) {
                read_choice(in);
            }
        });
    }

    void read_choice(JsonPull& in) {
        in.object([&](std::string_view key) {
            if (key == "delta" || key == "message") {
                read_message(in);
            } else if (key == "text") {
                has_message_ = in.append_string(answer_.output) || has_message_;
            } else if (key == "finish_reason") {
                read_finish_reason(in);
            } else if (key == "logprobs") {
                read_logprobs(in);
            } else if (key == "error" && in.peek() == JsonPull::Kind::object) {
                answer_.error = read_api_error(in);
            }
        });
    }

    void read_finish_reason(JsonPull& in) {
        const auto reason = in.string();
        if (reason && !reason->empty()) {
            answer_.finish_reason = normalise_finish_reason(*reason);
            if (*reason == "error" && !answer_.error) {
                answer_.error = ApiError{.message = "the provider broke the answer off"};
            }
        }
    }

    void read_message(JsonPull& in) {
        const bool object = in.object([&](std::string_view key) {
            if (key == "content") {
                read_content(in);
            } else if (key == "refusal") {
                in.append_string(answer_.refusal);
            }
        });
        has_message_ = has_message_ || object;
    }

    /// A text, nothing, or parts of which the texts count: [{"type": "text", "text": ...}].
    void read_content(JsonPull& in) {
        if (in.peek() != JsonPull::Kind::array) {
            in.append_string(answer_.output);
            return;
        }
        in.array([&] {
            in.object([&](std::string_view key) {
                if (key == "text") {
                    in.append_string(answer_.output);
                }
            });
        });
    }

    void read_usage(JsonPull& in) {
        RawUsage& usage = answer_.usage;
        in.object([&](std::string_view key) {
            if (key == "prompt_tokens") {
                usage.read(in, usage.input);
            } else if (key == "completion_tokens") {
                usage.read(in, usage.output);
            } else if (key == "total_tokens") {
                usage.read(in, usage.total);
            } else if (key == "prompt_cache_hit_tokens") {
                usage.read(in, usage.cache_read);
            } else if (key == "prompt_tokens_details") {
                in.object([&](std::string_view detail) {
                    if (detail == "cached_tokens") {
                        usage.read(in, usage.cache_read);
                    }
                });
            } else if (key == "completion_tokens_details") {
                in.object([&](std::string_view detail) {
                    if (detail == "reasoning_tokens") {
                        usage.read(in, usage.reasoning);
                    }
                });
            }
        });
    }

    void read_groq(JsonPull& in) {
        in.object([&](std::string_view key) {
            if (key == "usage") {
                read_usage(in);
            } else if (key == "error" && in.peek() == JsonPull::Kind::string) {
                answer_.error = read_api_error(in);
            }
        });
    }

    void read_logprobs(JsonPull& in) {
        std::string_view tokens;
        std::string_view logprobs;
        std::string_view tops;
        in.object([&](std::string_view key) {
            if (key == "content") {
                in.array([&] { read_token(in); });
            } else if (key == "tokens") {
                tokens = in.raw();
            } else if (key == "token_logprobs") {
                logprobs = in.raw();
            } else if (key == "top_logprobs") {
                tops = in.raw();
            }
        });
        if (in.ok() && !tokens.empty()) {
            zip_tokens(tokens, logprobs, tops);
        }
    }

    /// {"token", "logprob", "bytes", "top_logprobs": [{"token", "logprob"}]}
    void read_token(JsonPull& in) {
        std::string token;
        std::string_view logprob;
        std::string top;
        in.object([&](std::string_view key) {
            if (key == "token") {
                token = in.string().value_or("");
            } else if (key == "logprob") {
                logprob = in.number_text();
            } else if (key == "top_logprobs") {
                in.array([&] { read_top(in, top); });
            }
        });
        append_logprob(answer_.logprobs, token, logprob, top);
    }

    static void read_top(JsonPull& in, std::string& top) {
        std::string token;
        std::string_view logprob;
        in.object([&](std::string_view key) {
            if (key == "token") {
                token = in.string().value_or("");
            } else if (key == "logprob") {
                logprob = in.number_text();
            }
        });
        append_top_logprob(top, token, logprob);
    }

    /// The old protocol: three lists side by side, the third of objects {token: logprob}.
    void zip_tokens(std::string_view tokens, std::string_view logprobs, std::string_view tops) {
        std::vector<std::string_view> values;
        if (!logprobs.empty()) {
            JsonPull in(logprobs);
            in.array([&] { values.push_back(in.number_text()); });
        }
        std::vector<std::string> top_lists;
        if (!tops.empty()) {
            JsonPull in(tops);
            in.array([&] {
                std::string& top = top_lists.emplace_back();
                in.object([&](std::string_view token) {
                    const std::string name(token);
                    append_top_logprob(top, name, in.number_text());
                });
            });
        }
        JsonPull in(tokens);
        std::size_t i = 0;
        in.array([&] {
            append_logprob(
                answer_.logprobs,
                in.string().value_or(""),
                i < values.size() ? values[i] : std::string_view(),
                i < top_lists.size() ? std::string_view(top_lists[i]) : std::string_view()
            );
            ++i;
        });
    }

    bool has_message_ = false;
};

}  // namespace

std::unique_ptr<ResponseReader> make_openai_reader(
    const Endpoint& endpoint, const CallRequest& request
) {
    return std::make_unique<OpenAiReader>(endpoint, request);
}

}  // namespace lab::providers
