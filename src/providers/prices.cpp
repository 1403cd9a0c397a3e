#include "providers/prices.h"

#include "providers/impl/presets.h"

#include <algorithm>
#include <array>

namespace lab::providers {

const std::string_view kPriceTableVersion = "2025-12-01";

namespace {

struct Price {
    std::string_view provider;
    std::string_view model;
    std::string_view input;  ///< US dollars per million tokens
    std::string_view output;
    std::string_view cache_read;   ///< empty = as input
    std::string_view cache_write;  ///< empty = as input
    std::int64_t output_tokens_max;
};

/// Sources: the public price pages and model pages of the providers (openai.com/api/pricing,
/// docs.anthropic.com: pricing, ai.google.dev/pricing, mistral.ai/pricing, groq.com/pricing,
/// api-docs.deepseek.com: pricing, cohere.com/pricing), standard tier, as of the version's date.
/// Where a price depends on the prompt's length (Gemini Pro above 200,000 tokens), the lower one
/// stands here: such runs should name their own pricing.
constexpr std::array kTable{
    Price{"openai", "gpt-5.1", "1.25", "10", "0.125", "", 128'000},
    Price{"openai", "gpt-5", "1.25", "10", "0.125", "", 128'000},
    Price{"openai", "gpt-5-mini", "0.25", "2", "0.025", "", 128'000},
    Price{"openai", "gpt-5-nano", "0.05", "0.4", "0.005", "", 128'000},
    Price{"openai", "gpt-5-pro", "15", "120", "", "", 272'000},
    Price{"openai", "gpt-5-chat-latest", "1.25", "10", "0.125", "", 16'384},
    Price{"openai", "gpt-4.1", "2", "8", "0.5", "", 32'768},
    Price{"openai", "gpt-4.1-mini", "0.4", "1.6", "0.1", "", 32'768},
    Price{"openai", "gpt-4.1-nano", "0.1", "0.4", "0.025", "", 32'768},
    Price{"openai", "gpt-4o", "2.5", "10", "1.25", "", 16'384},
    Price{"openai", "gpt-4o-2024-05-13", "5", "15", "", "", 4'096},
    Price{"openai", "gpt-4o-mini", "0.15", "0.6", "0.075", "", 16'384},
    Price{"openai", "chatgpt-4o-latest", "5", "15", "", "", 16'384},
    Price{"openai", "o1", "15", "60", "7.5", "", 100'000},
    Price{"openai", "o1-mini", "1.1", "4.4", "0.55", "", 65'536},
    Price{"openai", "o3", "2", "8", "0.5", "", 100'000},
    Price{"openai", "o3-mini", "1.1", "4.4", "0.55", "", 100'000},
    Price{"openai", "o3-pro", "20", "80", "", "", 100'000},
    Price{"openai", "o4-mini", "1.1", "4.4", "0.275", "", 100'000},
    Price{"openai", "gpt-4-turbo", "10", "30", "", "", 4'096},
    Price{"openai", "gpt-4", "30", "60", "", "", 8'192},
    Price{"openai", "gpt-3.5-turbo", "0.5", "1.5", "", "", 4'096},
    Price{"openai", "gpt-3.5-turbo-1106", "1", "2", "", "", 4'096},
    Price{"openai", "gpt-3.5-turbo-instruct", "1.5", "2", "", "", 4'096},
    Price{"openai", "davinci-002", "2", "2", "", "", 16'384},
    Price{"openai", "babbage-002", "0.4", "0.4", "", "", 16'384},
    Price{"anthropic", "claude-opus-4-5", "5", "25", "0.5", "6.25", 64'000},
    Price{"anthropic", "claude-opus-4-1", "15", "75", "1.5", "18.75", 32'000},
    Price{"anthropic", "claude-opus-4", "15", "75", "1.5", "18.75", 32'000},
    Price{"anthropic", "claude-opus-4-0", "15", "75", "1.5", "18.75", 32'000},
    Price{"anthropic", "claude-sonnet-4-5", "3", "15", "0.3", "3.75", 64'000},
    Price{"anthropic", "claude-sonnet-4", "3", "15", "0.3", "3.75", 64'000},
    Price{"anthropic", "claude-sonnet-4-0", "3", "15", "0.3", "3.75", 64'000},
    Price{"anthropic", "claude-haiku-4-5", "1", "5", "0.1", "1.25", 64'000},
    Price{"anthropic", "claude-3-7-sonnet", "3", "15", "0.3", "3.75", 64'000},
    Price{"anthropic", "claude-3-5-sonnet", "3", "15", "0.3", "3.75", 8'192},
    Price{"anthropic", "claude-3-5-haiku", "0.8", "4", "0.08", "1", 8'192},
    Price{"anthropic", "claude-3-opus", "15", "75", "1.5", "18.75", 4'096},
    Price{"anthropic", "claude-3-haiku", "0.25", "1.25", "0.03", "0.3", 4'096},
    Price{"google", "gemini-2.5-pro", "1.25", "10", "0.125", "", 65'536},
    Price{"google", "gemini-2.5-flash", "0.3", "2.5", "0.03", "", 65'536},
    Price{"google", "gemini-2.5-flash-lite", "0.1", "0.4", "0.01", "", 65'536},
    Price{"google", "gemini-2.0-flash", "0.1", "0.4", "0.025", "", 8'192},
    Price{"google", "gemini-2.0-flash-lite", "0.075", "0.3", "", "", 8'192},
    Price{"mistral", "mistral-large", "2", "6", "", "", 0},
    Price{"mistral", "mistral-medium", "0.4", "2", "", "", 0},
    Price{"mistral", "mistral-small", "0.1", "0.3", "", "", 0},
    Price{"mistral", "codestral", "0.3", "0.9", "", "", 0},
    Price{"mistral", "ministral-8b", "0.1", "0.1", "", "", 0},
    Price{"mistral", "ministral-3b", "0.04", "0.04", "", "", 0},
    Price{"groq", "llama-3.3-70b-versatile", "0.59", "0.79", "", "", 32'768},
    Price{"groq", "llama-3.1-8b-instant", "0.05", "0.08", "", "", 131'072},
    Price{"deepseek", "deepseek-chat", "0.28", "0.42", "0.028", "", 8'192},
    Price{"deepseek", "deepseek-reasoner", "0.28", "0.42", "0.028", "", 65'536},
    Price{"cohere", "command-a-03-2025", "2.5", "10", "", "", 8'192},
    Price{"cohere", "command-r-plus-08-2024", "2.5", "10", "", "", 4'096},
    Price{"cohere", "command-r-08-2024", "0.15", "0.6", "", "", 4'096},
    // Bedrock: aws.amazon.com/bedrock/pricing, on demand in us-east-1; other regions may differ.
    Price{"bedrock", "amazon.nova-micro-v1:0", "0.035", "0.14", "0.00875", "", 10'000},
    Price{"bedrock", "amazon.nova-lite-v1:0", "0.06", "0.24", "0.015", "", 10'000},
    Price{"bedrock", "amazon.nova-pro-v1:0", "0.8", "3.2", "0.2", "", 10'000},
    Price{"bedrock", "anthropic.claude-3-7-sonnet-20250219-v1:0", "3", "15", "0.3", "3.75", 64'000},
    Price{"bedrock", "anthropic.claude-3-5-sonnet-20241022-v2:0", "3", "15", "0.3", "3.75", 8'192},
    Price{"bedrock", "anthropic.claude-3-5-sonnet-20240620-v1:0", "3", "15", "", "", 8'192},
    Price{"bedrock", "anthropic.claude-3-5-haiku-20241022-v1:0", "0.8", "4", "0.08", "1", 8'192},
    Price{"bedrock", "anthropic.claude-3-haiku-20240307-v1:0", "0.25", "1.25", "", "", 4'096},
    Price{"bedrock", "meta.llama3-1-8b-instruct-v1:0", "0.22", "0.22", "", "", 8'192},
    Price{"bedrock", "meta.llama3-1-70b-instruct-v1:0", "0.72", "0.72", "", "", 8'192},
    Price{"bedrock", "meta.llama3-3-70b-instruct-v1:0", "0.72", "0.72", "", "", 8'192},
    Price{"bedrock", "mistral.mistral-large-2402-v1:0", "4", "12", "", "", 8'192},
    Price{"bedrock", "cohere.command-r-v1:0", "0.5", "1.5", "", "", 4'096},
    Price{"bedrock", "cohere.command-r-plus-v1:0", "3", "15", "", "", 4'096},
};

/// "-2024-08-06", "-20241022", "-0613", "-2501", "-001", "-latest", "@20240620": the same model at
/// a date.
/// Anything else behind a known name ("-mini", "-audio-preview", "-1") is another model.
bool is_date_suffix(std::string_view suffix) {
    if (suffix == "-latest") {
        return true;
    }
    if (suffix.empty() || (suffix[0] != '-' && suffix[0] != '@')) {
        return false;
    }
    std::string shape;
    for (const char c : suffix.substr(1)) {
        shape += c >= '0' && c <= '9' ? 'd' : c;
    }
    for (const std::string_view known : {"dddd-dd-dd", "dddddddd", "dddd", "ddd"}) {
        if (shape == known) {
            return true;
        }
    }
    return false;
}

const Price* find_row(const domain::ModelSpec& model) {
    const Preset* preset = find_preset(model.provider);
    if (preset == nullptr || !is_own_endpoint(*preset, model)) {
        return nullptr;
    }
    std::string_view name = model.model;
    if (name.starts_with("models/")) {
        name.remove_prefix(7);
    }
    // The profile that spreads calls over the regions of a country costs what the model does.
    if (model.provider == "bedrock" && name.starts_with("us.")) {
        name.remove_prefix(3);
    }
    const Price* best = nullptr;
    for (const Price& row : kTable) {
        if (row.provider != model.provider || !name.starts_with(row.model)) {
            continue;
        }
        const std::string_view suffix = name.substr(row.model.size());
        if (suffix.empty()) {
            return &row;
        }
        if (is_date_suffix(suffix) && (best == nullptr || row.model.size() > best->model.size())) {
            best = &row;
        }
    }
    return best;
}

std::optional<Money> to_money(std::string_view text) {
    if (text.empty()) {
        return std::nullopt;
    }
    const auto money = Money::parse(text);
    LAB_ASSERT(money, "the price table holds decimals");
    return *money;
}

}  // namespace

std::optional<domain::Pricing> find_pricing(const domain::ModelSpec& model) {
    if (model.provider == "replay") {
        return domain::Pricing{.input = Money(), .output = Money()};
    }
    if (model.pricing) {
        return model.pricing;
    }
    const Price* row = find_row(model);
    if (row == nullptr) {
        return std::nullopt;
    }
    return domain::Pricing{
        .input = to_money(row->input),
        .output = to_money(row->output),
        .cache_read = to_money(row->cache_read),
        .cache_write = to_money(row->cache_write)
    };
}

std::optional<std::int64_t> find_output_limit(const domain::ModelSpec& model) {
    const Price* row = find_row(model);
    return row != nullptr && row->output_tokens_max > 0 ? std::optional(row->output_tokens_max)
                                                        : std::nullopt;
}

}  // namespace lab::providers
