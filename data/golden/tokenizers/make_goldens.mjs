// Writes goldens.json: the ids that the reference library gives to texts, for kinds of tokenizers that differ in how
// they normalize and split. Each kind is one of the vocabularies beside with a JSON merge patch (RFC 7386).
//
//     npm install tokenizers@0.23.2 --prefix /tmp/reference
//     cp make_goldens.mjs /tmp/reference && node /tmp/reference/make_goldens.mjs "$PWD"

import fs from 'fs';
import {Tokenizer} from 'tokenizers';

const folder = process.argv[2];
const read = (name) => JSON.parse(fs.readFileSync(`${folder}/${name}`, 'utf8'));

const byteLevel = (options) => ({type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, ...options});
const splits = (regexes, options) => ({
  type: 'Sequence',
  pretokenizers: [
    ...regexes.map((Regex) => ({type: 'Split', pattern: {Regex}, behavior: 'Isolated', invert: false, ...options})),
    byteLevel({use_regex: false}),
  ],
});
const metaspace = (options) => ({normalizer: null, pre_tokenizer: {type: 'Metaspace', replacement: '▁', ...options}});
const added = (id, content, normalized) =>
  ({id, content, single_word: false, lstrip: false, rstrip: false, normalized, special: false});

const contractions = String.raw`(?i:'s|'t|'re|'ve|'m|'ll|'d)`;
const spaces = String.raw`\s*[\r\n]+|\s+(?!\S)|\s+`;
const upper = String.raw`\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}`;
const lower = String.raw`\p{Ll}\p{Lm}\p{Lo}\p{M}`;
const qwen2 = contractions +
  String.raw`|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|` + spaces;
const qwen35 = contractions +
  String.raw`|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|` + spaces;
const llama3 = qwen2.replace('|\\p{N}|', '|\\p{N}{1,3}|');
const gpt4o =
  String.raw`[^\r\n\p{L}\p{N}]?[${upper}]*[${lower}]+${contractions}?|` +
  String.raw`[^\r\n\p{L}\p{N}]?[${upper}]+[${lower}]*${contractions}?|` +
  String.raw`\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|` + spaces;
const ling =
  String.raw`'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+`;
const deepseek = [
  String.raw`\p{N}{1,3}`, '[一-龥\u3040-ゟ゠-ヿ]+',
  String.raw`[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_` + '`' + String.raw`{|}~][A-Za-z]+|[^` + '\r\n' +
    String.raw`\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[` + '\r\n' + String.raw`]*|\s*[` + '\r\n' +
    String.raw`]+|\s+(?!\S)|\s+`];

const first = Object.keys(read('bytes.json').model.vocab).length;
const specials = read('bytes.json').added_tokens;
const normalizedTokens = [
  ...read('characters.json').added_tokens,
  ...['HELLOworld12', 'é 12', '▁The▁', ' x1'].map((content, i) =>
    added(Object.keys(read('characters.json').model.vocab).length + i, content, true)),
];
const characters = Object.keys(read('characters.json').model.vocab).length;
const template = {
  type: 'TemplateProcessing',
  single: [{SpecialToken: {id: '<s>', type_id: 0}}, {Sequence: {id: 'A', type_id: 0}}],
  pair: [{Sequence: {id: 'A', type_id: 0}}, {Sequence: {id: 'B', type_id: 1}}],
  special_tokens: {'<s>': {id: '<s>', ids: [1], tokens: ['<s>']}},
};

// [name, vocabulary, patch]
const kinds = [
  ['GPT-2', 'bytes.json', {}],
  ['GPT-NeoX', 'bytes.json', {normalizer: {type: 'NFC'}, pre_tokenizer: {use_regex: null}}],
  ['GPT-2 with prefix space', 'bytes.json', {pre_tokenizer: {add_prefix_space: true}}],
  ['no split', 'bytes.json', {pre_tokenizer: {use_regex: false}}],
  ['Qwen2', 'bytes.json', {normalizer: {type: 'NFC'}, pre_tokenizer: splits([qwen2])}],
  ['Qwen3.5', 'bytes.json', {normalizer: {type: 'NFC'}, pre_tokenizer: splits([qwen35])}],
  ['Llama 3', 'bytes.json', {
    pre_tokenizer: splits([llama3]),
    model: {ignore_merges: true, vocab: {' zq': first, 'Ġzzq': first + 1, '1111': first + 2}},
    added_tokens: specials.map((token, i) => ({...token, id: first + 3 + i})),
  }],
  ['Llama 3 from tiktoken', 'bytes.json',
    {pre_tokenizer: splits([llama3], {behavior: 'Removed', invert: true})}],
  ['GPT-4o', 'bytes.json', {pre_tokenizer: splits([gpt4o])}],
  ['Ling', 'bytes.json', {pre_tokenizer: splits([ling])}],
  ['DeepSeek-V3', 'bytes.json', {normalizer: {type: 'Sequence', normalizers: []}, pre_tokenizer: splits(deepseek)}],
  ['Llama 2', 'characters.json', {post_processor: template}],
  ['Llama 2 with added tokens', 'characters.json', {added_tokens: normalizedTokens}],
  ['Llama 2 with merges across words', 'characters.json', {
    model: {
      vocab: {'e▁': characters, 'e▁a': characters + 1},
      merges: ['e ▁', 'e▁ a', ...read('characters.json').model.merges],
    },
  }],
  ['Metaspace first', 'characters.json', metaspace({prepend_scheme: 'first', split: false})],
  ['Metaspace always', 'characters.json',
    {...metaspace({prepend_scheme: 'always', split: true}), added_tokens: normalizedTokens}],
  ['Metaspace never', 'characters.json', metaspace({prepend_scheme: 'never', split: true})],
];

function patched(target, patch) {
  if (patch === null || typeof patch !== 'object' || Array.isArray(patch)) return patch;
  const result = target !== null && typeof target === 'object' && !Array.isArray(target) ? {...target} : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key];
    else result[key] = patched(result[key], value);
  }
  return result;
}

// Texts that are apt to be split in different ways.
const pieces = ["I'll", "'S", "'ve", ' ', '  ', '    ', '\n', '\r\n', '\t', '1', '23', '456', '1234567', '1111', 'the', ' The',
  'HELLOworld', 'XMLHttp', 'é', 'e\u0301', '\u0301', 'ǅ', 'ʰ', '你好', 'カ', '!', '...', ' --', '//\n', '<|endoftext|>', '<s>',
  '▁', ' zzq', '\u00a0', '\u2028', '\u00ad', '😀', '\u1c89', '\u{105c0}', '\u{1e4ec}', '\u{11f43}', '\u{1f6dc}', '<0x0A>', 'ſ',
  'नमस्ते', 'शि', 'שָׁלוֹם', 'HELLOworld12', ' x1', 'é 12', ' The '];
let state = 1;
const random = (bound) => {
  state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
  return (state >>> 8) % bound;
};
const texts = JSON.parse(fs.readFileSync(`${folder}/../tokenizer_goldens.json`, 'utf8'))
  .tricky.map((golden) => golden.text).filter((text) => text.length <= 20);
for (let i = 0; i < 60; ++i) {
  let text = '';
  for (let count = 1 + random(6); count > 0; --count) text += pieces[random(pieces.length)];
  texts.push(text);
}

const goldens = [];
for (const [name, vocabulary, patch] of kinds) {
  const tokenizer = Tokenizer.fromString(JSON.stringify({normalizer: null, pre_tokenizer: null, post_processor: null,
    decoder: null, ...patched(read(vocabulary), patch)}));
  const ids = [];
  for (const text of texts) ids.push((await tokenizer.encode(text, null, {addSpecialTokens: false})).getIds().join(' '));
  goldens.push({name, vocabulary, patch, ids});
}
const lines = goldens.map((golden) => JSON.stringify(golden)).join(',\n');
fs.writeFileSync(`${folder}/goldens.json`,
  `{"reference":"npm tokenizers@0.23.2, without special tokens",\n"texts":${JSON.stringify(texts)},\n"kinds":[\n${lines}]}\n`);
