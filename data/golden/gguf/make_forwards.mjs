// Writes forwards.json: the logarithms of the probabilities of every next token that llama.cpp computes on the GGUF files
// that tests/python/gguf_maker.py makes of checkpoints of ../../families.
//
//     npm install node-llama-cpp@3.22.1 --prefix /tmp/reference
//     python3 ../../../tests/python/gguf_maker.py /tmp/reference/files
//     cp make_forwards.mjs /tmp/reference && node /tmp/reference/make_forwards.mjs /tmp/reference/files/forwards "$PWD"

import fs from 'fs';
import {getLlama} from 'node-llama-cpp';

const [source, folder] = process.argv.slice(2);
const ids = [7, 3, 41, 29, 12, 12, 35, 4, 18, 44, 26, 9, 31, 5, 22, 38];
const llama = await getLlama({gpu: false, build: 'never', logLevel: 'error'});

const lines = [];
for (const name of fs.readdirSync(source).sort()) {
  const model = await llama.loadModel({modelPath: `${source}/${name}`, checkTensors: true});
  const context = await model.createContext({contextSize: 64, batchSize: 64, flashAttention: false});
  const wanted = ids.map((id) => [id, {generateNext: {probabilities: true}}]);
  const evaluated = await context.getSequence().controlledEvaluate(wanted);
  const logs = evaluated.map(({next}) =>
    [...next.probabilities.entries()].sort(([a], [b]) => a - b).map(([, p]) => Number(Math.log(p).toFixed(4))));
  lines.push(`${JSON.stringify(name.replace('.gguf', ''))}:${JSON.stringify(logs)}`);
  await context.dispose();
  await model.dispose();
}
fs.writeFileSync(`${folder}/forwards.json`,
  `{"reference":"npm node-llama-cpp@3.22.1",\n"ids":${JSON.stringify(ids)},\n"models":{\n${lines.join(',\n')}}}\n`);
