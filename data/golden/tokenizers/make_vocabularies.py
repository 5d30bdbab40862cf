"""Writes bytes.json and characters.json, the vocabularies of tokenizers that are as small as they can be: byte-pair
encoding learnt from data/eval_text and the lines below. Merges of bytes.json cross words, numbers and line breaks,
so that ids tell where a text is split before it is encoded.

    python3 make_vocabularies.py
"""

import collections
import json
import pathlib

FOLDER = pathlib.Path(__file__).parent
LINES = [
    "I'll say it's HELLOworld, don't we'Re THEY'VE 'S \u017f i'm I'D",
    "1234567 2024-12-31 3.14159 100000 x1y22z333 \u00b2\u00b3 \u2167",
    "na\u00efve caf\u00e9 e\u0301e\u0301 \u212bngstr\u00f6m \u01c5\u02b0 XMLHttpRequest camelCase",
    "\u4f60\u597d\uff0c\u4e16\u754c\u3002 \u30ab\u30bf\u30ab\u30ca \u3072\u3089\u304c\u306a \ud55c\uad6d\uc5b4",
    "\u0928\u092e\u0938\u094d\u0924\u0947 \u0939\u093f\u0928\u094d\u0926\u0940 \u0e20\u0e32\u0e29\u0e32\u0e44\u0e17\u0e22 \u05e9\u05c1\u05b8\u05dc\u05d5\u05b9\u05dd",
    "// #include <stdio.h>\n\n\tint main(void)\r\n{ return -1; }\n    !== ... --- \U0001f600\U0001f600",
]


def training_text():
    passages = []
    for path in sorted((FOLDER / "../../eval_text").glob("*.jsonl")):
        with path.open(encoding="utf-8") as lines:
            passages += [json.loads(line)["text"] for line in lines]
    return "\n".join(passages + LINES * 60)


def printable_bytes():
    """The alphabet of GPT-2."""
    kept = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in kept]
    return {**{byte: chr(byte) for byte in kept}, **{byte: chr(256 + i) for i, byte in enumerate(others)}}


def joined(parts, pair):
    result = []
    for part in parts:
        if result and (result[-1], part) == pair:
            result[-1] += part
        else:
            result.append(part)
    return result


def learn(parts, count, may_join):
    """The most frequent pairs, one after the other; of several the first in order."""
    merges = []
    while len(merges) < count:
        pairs = collections.Counter(pair for pair in zip(parts, parts[1:]) if may_join(*pair))
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        merges.append(best)
        parts = joined(parts, best)
    return merges


def write(name, tokens, merges, **others):
    vocabulary = {token: i for i, token in enumerate(dict.fromkeys(tokens + [a + b for a, b in merges]))}
    model = {"type": "BPE", "unk_token": None, "fuse_unk": False, "byte_fallback": False, "ignore_merges": False}
    model.update(others.pop("model", {}), vocab=vocabulary, merges=[f"{a} {b}" for a, b in merges])
    tokenizer = {"version": "1.0", "truncation": None, "padding": None, "added_tokens": [], "normalizer": None,
                 "pre_tokenizer": None, "post_processor": None, "decoder": None, **others, "model": model}
    (FOLDER / name).write_text(json.dumps(tokenizer, ensure_ascii=False, separators=(",", ":")) + "\n", encoding="utf-8")


def added(identifier, content, special=True):
    return {"id": identifier, "content": content, "single_word": False, "lstrip": False, "rstrip": False,
            "normalized": not special, "special": special}


def write_bytes(text):
    alphabet = printable_bytes()
    merges = learn([alphabet[byte] for byte in text.encode()], 700, lambda left, right: len(left + right) <= 12)
    first_added = 256 + len({a + b for a, b in merges})
    write("bytes.json", [alphabet[byte] for byte in range(256)], merges,
          added_tokens=[added(first_added, "<|endoftext|>"), added(first_added + 1, "    ", special=False)],
          pre_tokenizer={"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True})


def write_characters(text):
    space = "\u2581"
    parts = list(text.replace(" ", space))
    rare = [part for part, count in collections.Counter(parts).items() if count < 20 or part in "\n\t\r"]
    merges = learn(parts, 500, lambda left, right: not set(rare) & set(left + right)
                   and (left[-1] == space or right[0] != space))
    characters = sorted({part for part in parts if part not in rare})
    bytes_ = [f"<0x{byte:02X}>" for byte in range(256)]
    write("characters.json", ["<unk>", "<s>", "</s>", *bytes_, *characters], merges,
          added_tokens=[added(0, "<unk>"), added(1, "<s>"), added(2, "</s>")],
          normalizer={"type": "Sequence", "normalizers": [
              {"type": "Prepend", "prepend": space},
              {"type": "Replace", "pattern": {"String": " "}, "content": space}]},
          model={"unk_token": "<unk>", "fuse_unk": True, "byte_fallback": True})


if __name__ == "__main__":
    write_bytes(training_text())
    write_characters(training_text())
