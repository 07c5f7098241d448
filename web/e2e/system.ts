// Starts what browser tests look at: programs that serve a system, and the built front ends. Both set-ups use it.
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as wait } from 'node:timers/promises';

const web = resolve(import.meta.dirname, '..');
export const root = resolve(web, '..');

const PAUSE_MS = 100;

/** A program of the project's own Python. Its output is read by the caller, what it complains of is shown. */
export function startPython(script: string, args: string[], env: Record<string, string> = {}): ChildProcess {
  return spawn(resolve(root, 'var/venv/bin/python'), [resolve(root, script), ...args], {
    cwd: root,
    env: { ...process.env, ...env },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
}

/** Serves the built files of web/NAME on `port`, with the API behind the same address. */
export function servePages(name: 'admin' | 'app', port: number, api: string): ChildProcess {
  const vite = resolve(web, 'node_modules/vite/bin/vite.js');
  const args = [vite, 'preview', '--config', resolve(web, name, 'vite.config.ts'), resolve(web, name)];
  return spawn(process.execPath, args, {
    env: { ...process.env, API_URL: api, WEB_PORT: String(port) },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
}

export async function firstLine(child: ChildProcess): Promise<string> {
  if (!child.stdout) throw new Error('no output');
  for await (const line of createInterface(child.stdout)) return line;
  throw new Error('the system ended before it was ready');
}

/** Some free ports in a row that nothing else was just given. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
  await Promise.all(servers.map((server) => once(server, 'listening')));
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => new Promise((done) => server.close(done))));
  return ports;
}

/** Waits until `child` answers there; throws when it ends before, or takes too long. */
export async function answers(url: string, child: ChildProcess, patience: number): Promise<void> {
  for (const end = Date.now() + patience; Date.now() < end; await wait(PAUSE_MS)) {
    if (child.exitCode !== null) throw new Error(`${url}: what serves it ended with ${child.exitCode}`);
    const ok = await fetch(url).then(
      (response) => response.ok,
      () => false,
    );
    if (ok) return;
  }
  throw new Error(`${url} does not answer`);
}

export async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
}
