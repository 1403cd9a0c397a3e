"""Writes a tiny llama model with random weights, always the same ones.

Usage: make_model.py FILE
Two layers, a vocabulary of printable ASCII and all bytes. It says nonsense, but a server treats it
as any other model: tokens, log-probabilities, usage, streaming.
"""
import os
import sys

import gguf
import numpy

LAYERS, WIDTH, HEADS, INNER, CONTEXT = 2, 64, 4, 128, 2048
CHAT_TEMPLATE = (
    "{% for message in messages %}{{ message['role'] }}: {{ message['content'] }}\n{% endfor %}"
    "{% if add_generation_prompt %}assistant:{% endif %}"
)


def vocabulary():
    """(text, score, type) of every token, in the order of their numbers."""
    kinds = gguf.TokenType
    tokens = [("<unk>", 0.0, kinds.UNKNOWN), ("<s>", 0.0, kinds.CONTROL), ("</s>", 0.0, kinds.CONTROL)]
    tokens += [(f"<0x{byte:02X}>", 0.0, kinds.BYTE) for byte in range(256)]
    # The sentence-piece form of a blank, then what can be printed.
    tokens.append(("\u2581", -1.0, kinds.NORMAL))
    tokens += [(chr(code), -1.0 - code / 256, kinds.NORMAL) for code in range(0x21, 0x7F)]
    return tokens


def main():
    path = sys.argv[1]
    chance = numpy.random.default_rng(20240501)
    tokens = vocabulary()
    writer = gguf.GGUFWriter(path + ".part", "llama")
    writer.add_name("tiny random llama")
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(len(tokens))
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    writer.add_tokenizer_model("llama")
    writer.add_token_list([text.encode() for text, _, _ in tokens])
    writer.add_token_scores([score for _, score, _ in tokens])
    writer.add_token_types([kind for _, _, kind in tokens])
    writer.add_unk_token_id(0)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_add_bos_token(True)
    writer.add_add_space_prefix(False)
    writer.add_chat_template(CHAT_TEMPLATE)

    def tensor(name, *shape, spread):
        writer.add_tensor(name, (chance.standard_normal(shape) * spread).astype(numpy.float32))

    def ones(name, size):
        writer.add_tensor(name, numpy.ones(size, dtype=numpy.float32))

    tensor("token_embd.weight", len(tokens), WIDTH, spread=1.0)
    ones("output_norm.weight", WIDTH)
    # Logits of about N(0, 9) for what can be printed; bytes and control tokens stay unlikely.
    output = chance.standard_normal((len(tokens), WIDTH)) * 3 / WIDTH**0.5
    output[:259] *= 0.1
    writer.add_tensor("output.weight", output.astype(numpy.float32))
    for layer in range(LAYERS):
        block = f"blk.{layer}."
        ones(block + "attn_norm.weight", WIDTH)
        for part in ("attn_q", "attn_k", "attn_v", "attn_output"):
            tensor(f"{block}{part}.weight", WIDTH, WIDTH, spread=WIDTH**-0.5)
        ones(block + "ffn_norm.weight", WIDTH)
        tensor(block + "ffn_gate.weight", INNER, WIDTH, spread=WIDTH**-0.5)
        tensor(block + "ffn_up.weight", INNER, WIDTH, spread=WIDTH**-0.5)
        tensor(block + "ffn_down.weight", WIDTH, INNER, spread=INNER**-0.5)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    os.replace(path + ".part", path)


if __name__ == "__main__":
    main()
