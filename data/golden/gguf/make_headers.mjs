// Writes headers.json: what Hugging Face's own parser finds in the GGUF files that tests/python/gguf_maker.py makes of
// three checkpoints of ../../families.
//
//     npm install @huggingface/gguf@0.4.6 --prefix /tmp/reference
//     python3 ../../../tests/python/gguf_maker.py /tmp/reference/files
//     cp make_headers.mjs /tmp/reference && node /tmp/reference/make_headers.mjs /tmp/reference/files/headers "$PWD"

import crypto from 'crypto';
import fs from 'fs';
import {GGMLQuantizationType, gguf} from '@huggingface/gguf';

const [source, folder] = process.argv.slice(2);
const plain = (value) => typeof value === 'bigint' ? Number(value) : Array.isArray(value) ? {array: value.length} : value;

const files = {};
for (const name of fs.readdirSync(source).sort()) {
  const path = `${source}/${name}`;
  const {metadata, tensorInfos, tensorDataOffset} = await gguf(path, {allowLocalFile: true});
  const {version, tensor_count, kv_count, ...told} = metadata;
  files[name] = {
    sha256: crypto.createHash('sha256').update(fs.readFileSync(path)).digest('hex'),
    metadata: Object.fromEntries(Object.entries(told).map(([key, value]) => [key, plain(value)])),
    tensors: tensorInfos.map(({name, dtype, shape, offset}) =>
      [name, GGMLQuantizationType[dtype], shape.map(Number), Number(offset) + Number(tensorDataOffset)]),
  };
}
const lines = Object.entries(files).map(([name, file]) => `${JSON.stringify(name)}:${JSON.stringify(file)}`).join(',\n');
fs.writeFileSync(`${folder}/headers.json`, `{"reference":"npm @huggingface/gguf@0.4.6",\n"files":{\n${lines}}}\n`);
