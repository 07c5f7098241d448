// Starts `make run`'s own processes in a folder of their own, waits for the demo data, and stops all of it after the tests.
// E2E_URL_ADMIN, E2E_URL_APP and E2E_URL_SIM name a system that runs already.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { answers, ended, freePorts, startPython } from '../system';
import { waitForData } from './data';

const START_MS = 180_000;
const PORTS = ['ADMIN_PORT', 'APP_PORT', 'SIM_APPLE_PORT', 'HTTP_PORT', 'DOCS_PORT', 'SIM_ANISETTE_PORT'];

export default async function setup(): Promise<(() => Promise<void>) | undefined> {
  if (process.env.E2E_URL_ADMIN) {
    await waitForData();
    return undefined;
  }
  const folder = await mkdtemp(join(tmpdir(), 'tracker-e2e-'));
  const ports = await freePorts(PORTS.length);
  const env = Object.fromEntries(PORTS.map((name, index) => [name, String(ports[index])]));
  const system = startPython('tools/run.py', [], { ...env, RUN_FOLDER: folder, MEDIA_FOLDER: join(folder, 'media') });
  // Nobody reads the logs that it repeats; they stay in the folder until the end.
  system.stdout?.resume();
  const stop = async () => {
    system.kill('SIGTERM');
    await ended(system);
    await rm(folder, { recursive: true, force: true });
  };
  const [admin, app, sim] = ports.map((port) => `http://localhost:${port}`);
  process.env.E2E_URL_ADMIN = admin;
  process.env.E2E_URL_APP = app;
  process.env.E2E_URL_SIM = sim;
  try {
    await answers(`${admin}/`, system, START_MS);
    await waitForData();
  } catch (error) {
    await stop();
    throw error;
  }
  return stop;
}
