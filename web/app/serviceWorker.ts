// Vite plugin: writes sw.js from src/pwa/sw.js with what belongs to the shell of this build.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Plugin, Rollup } from 'vite';

/** Files of public/ and of other plugins that the page needs. */
const FIXED = ['/index.html', '/theme-init.js', '/config.json', '/manifest.webmanifest', '/icon.svg', '/icon-192.png'];

export function serviceWorker(): Plugin {
  const template = readFileSync(resolve(import.meta.dirname, 'src/pwa/sw.js'), 'utf8');
  return {
    name: 'service-worker',
    apply: 'build',
    // After all other plugins, so that the bundle is complete.
    enforce: 'post',
    generateBundle(_options, bundle) {
      const shell = [...FIXED, ...entryFiles(bundle)].sort();
      const version = createHash('sha256')
        .update(JSON.stringify(Object.keys(bundle).sort()))
        .digest('hex')
        .slice(0, 16);
      const source = template.replace('__VERSION__', version).replace("['__SHELL__']", JSON.stringify(shell));
      this.emitFile({ type: 'asset', fileName: 'sw.js', source });
    },
  };
}

/** The entry's script, what it imports statically, and its styles. The rest is kept when it is first used. */
function entryFiles(bundle: Rollup.OutputBundle): string[] {
  const files = new Set<string>();
  const visit = (name: string) => {
    const chunk = bundle[name];
    if (files.has(`/${name}`) || chunk?.type !== 'chunk') return;
    files.add(`/${name}`);
    chunk.viteMetadata?.importedCss.forEach((css) => files.add(`/${css}`));
    chunk.imports.forEach(visit);
  };
  for (const chunk of Object.values(bundle)) if (chunk.type === 'chunk' && chunk.isEntry) visit(chunk.fileName);
  return [...files];
}
