// Starts the system and the built front end (web/app/dist) for the tests, and stops both after them.
import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { createServer, type AddressInfo } from 'node:net';
import { resolve } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';

const web = resolve(import.meta.dirname, '../..');
const root = resolve(web, '..');
const START_MS = 60_000;

export default async function setup(): Promise<() => Promise<void>> {
  const system = spawn(
    resolve(root, 'var/venv/bin/python'),
    [resolve(root, 'tests/e2e/serve_app.py'), process.env.TRACKERD ?? resolve(root, 'build/trackerd')],
    { stdio: ['pipe', 'pipe', 'inherit'] },
  );
  const world = await firstLine(system);
  const port = await freePort();
  const { url } = JSON.parse(world) as { url: string };
  const pages = spawn(
    process.execPath,
    [
      resolve(web, 'node_modules/vite/bin/vite.js'),
      'preview',
      '--config',
      resolve(web, 'app/vite.config.ts'),
      resolve(web, 'app'),
    ],
    { env: { ...process.env, API_URL: url, WEB_PORT: String(port) }, stdio: ['ignore', 'ignore', 'inherit'] },
  );
  process.env.E2E_APP_WORLD = world;
  process.env.E2E_APP_URL = `http://127.0.0.1:${port}`;
  await answers(process.env.E2E_APP_URL);
  return async () => {
    pages.kill();
    // The system ends when nobody can write to it any more.
    system.stdin?.end();
    await Promise.all([ended(pages), ended(system)]);
  };
}

async function firstLine(process: ChildProcess): Promise<string> {
  if (!process.stdout) throw new Error('no output');
  for await (const line of createInterface(process.stdout)) return line;
  throw new Error('the system ended before it was ready');
}

function freePort(): Promise<number> {
  return new Promise((done) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => done(port));
    });
  });
}

async function answers(url: string): Promise<void> {
  for (const end = Date.now() + START_MS; Date.now() < end; await wait(100)) {
    const ok = await fetch(url).then(
      (response) => response.ok,
      () => false,
    );
    if (ok) return;
  }
  throw new Error(`${url} does not answer`);
}

function ended(process: ChildProcess): Promise<unknown> {
  return process.exitCode === null ? new Promise((done) => process.once('exit', done)) : Promise.resolve();
}
