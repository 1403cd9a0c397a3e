#pragma once
#include <array>
#include <string_view>

namespace lab::config {

struct NamedKey {
    std::string_view key;
    std::string_view help;
};
// The variables of providers/impl/presets.cpp.
inline constexpr std::array kProviderKeys{
    NamedKey{"OPENAI_API_KEY", "key for OpenAI"},
    NamedKey{"ANTHROPIC_API_KEY", "key for Anthropic"},
    NamedKey{"GEMINI_API_KEY", "key for Google"},
    NamedKey{"AZURE_OPENAI_API_KEY", "key for Azure"},
    NamedKey{
        "AWS_BEARER_TOKEN_BEDROCK",
        "key for Amazon Bedrock; without it calls are signed with the credentials of AWS"
    },
    NamedKey{"HF_TOKEN", "key for Hugging Face"},
    NamedKey{"COHERE_API_KEY", "key for Cohere"},
    NamedKey{"MISTRAL_API_KEY", "key for Mistral"},
    NamedKey{"GROQ_API_KEY", "key for Groq"},
    NamedKey{"TOGETHER_API_KEY", "key for Together"},
    NamedKey{"OPENROUTER_API_KEY", "key for OpenRouter"},
    NamedKey{"DEEPSEEK_API_KEY", "key for DeepSeek"},
    NamedKey{"VLLM_API_KEY", "key for a vLLM server"},
    NamedKey{"OLLAMA_API_KEY", "key for an Ollama server"},
    NamedKey{"LLAMA_API_KEY", "key for a llama.cpp server"},
};

}  // namespace lab::config
