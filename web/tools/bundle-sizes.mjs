// Lists what fills a bundle: `node tools/bundle-sizes.mjs app` sums the source map of the entry chunk by package.
import { readdirSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';

const assets = resolve(import.meta.dirname, '..', process.argv[2] ?? 'app', 'dist/assets');
const maps = readdirSync(assets).filter((name) => /^index-.*\.js\.map$/.test(name));

/** Length of the source texts, by package: not the minified size, but its order. */
const sizes = new Map();
for (const map of maps) {
    const { sources, sourcesContent } = JSON.parse(readFileSync(resolve(assets, map), 'utf8'));
    sources.forEach((source, index) => {
        const name = /node_modules\/((?:@[^/]+\/)?[^/]+)(?!.*node_modules)/.exec(source)?.[1] ?? 'own';
        sizes.set(name, (sizes.get(name) ?? 0) + (sourcesContent[index]?.length ?? 0));
    });
}
for (const [name, size] of [...sizes].sort((a, b) => b[1] - a[1]).slice(0, 25)) {
    console.log(String(Math.round(size / 1024)).padStart(6), 'KiB of source', name);
}
