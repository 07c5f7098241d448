// Prints how much compressed JavaScript a front end loads before its first page is shown (sign-in or overview, without
// the map), and fails when it is more than allowed:
// `node tools/first-load.mjs app 200`, with --json as a line of `make bench`. Needs the build's manifest.
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { gzipSync } from 'node:zlib';

const [name = 'app', limit = 'Infinity', form] = process.argv.slice(2);
const dist = resolve(import.meta.dirname, '..', name, 'dist');
const manifest = JSON.parse(readFileSync(resolve(dist, '.vite/manifest.json'), 'utf8'));

/** Size of a chunk and of all that it imports statically, each file once. */
function load(key, files) {
    const { file, imports = [] } = manifest[key];
    if (files.has(file)) return;
    files.set(file, gzipSync(readFileSync(resolve(dist, file))).length);
    for (const each of imports) load(each, files);
}

function kilobytes(...keys) {
    const files = new Map();
    for (const key of keys) load(key, files);
    return [...files.values()].reduce((sum, size) => sum + size, 0) / 1000;
}

const signIn = Object.keys(manifest).find((key) => key.endsWith('SignInPage.tsx'));
const entry = kilobytes('index.html');
const withSignIn = signIn ? kilobytes('index.html', signIn) : entry;
const bench = {
    bench: 'first_load_app',
    ratio: Number((withSignIn / Number(limit)).toFixed(3)),
    target: 1,
    kilobytes: withSignIn,
};
const words = `${name}: first load ${entry.toFixed(1)} kB of compressed JavaScript, ${withSignIn.toFixed(1)} kB with sign-in`;
console.log(form === '--json' ? JSON.stringify(bench) : words);
if (withSignIn > Number(limit)) {
    console.error(`${name}: more than the ${limit} kB that are allowed`);
    process.exit(1);
}
