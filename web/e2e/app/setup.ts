// Starts the system and the built front end (web/app/dist) for the tests, and stops both after them.
import { resolve } from 'node:path';
import { answers, ended, firstLine, freePorts, root, servePages, startPython } from '../system';

const START_MS = 60_000;

export default async function setup(): Promise<() => Promise<void>> {
  const system = startPython('tests/e2e/serve_app.py', [process.env.TRACKERD || resolve(root, 'build/trackerd')]);
  const world = await firstLine(system);
  const [port = 0] = await freePorts(1);
  const { url } = JSON.parse(world) as { url: string };
  const pages = servePages('app', port, url);
  process.env.E2E_APP_WORLD = world;
  process.env.E2E_APP_URL = `http://127.0.0.1:${port}`;
  await answers(process.env.E2E_APP_URL, pages, START_MS);
  return async () => {
    pages.kill();
    // The system ends when nobody can write to it any more.
    system.stdin?.end();
    await Promise.all([ended(pages), ended(system)]);
  };
}
