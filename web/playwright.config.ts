// Browser tests over a real system: `make run`'s own processes in a folder of their own, Debian's Chromium.
//
//   npm run e2e --prefix web               all of them (E2E_URL_ADMIN and E2E_URL_APP name a system that runs already)
//   npm run screenshots --prefix web       pictures of every screen into web/screenshots
//   npm run pictures --prefix web          those of README and docs into docs/images
import { defineConfig } from '@playwright/test';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { resolve } from 'node:path';

const FIRST_PORT = Number(process.env.E2E_PORT ?? 23000);
const root = resolve(import.meta.dirname, '..');

function ports() {
  const names = ['ADMIN_PORT', 'APP_PORT', 'HTTP_PORT', 'DOCS_PORT', 'SIM_ANISETTE_PORT', 'SIM_APPLE_PORT'];
  return Object.fromEntries(names.map((name, index) => [name, String(FIRST_PORT + index)]));
}

/** Starts everything and stops it again, unless the tests are pointed at a running system. */
function ownSystem() {
  // Workers load this file too; only the first process makes the folder.
  const folder = (process.env.RUN_FOLDER ??= mkdtempSync(`${tmpdir()}/tracker-e2e-`));
  process.env.E2E_URL_ADMIN = `http://localhost:${FIRST_PORT}`;
  process.env.E2E_URL_APP = `http://localhost:${FIRST_PORT + 1}`;
  return {
    command: `${root}/var/venv/bin/python ${root}/tools/run.py`,
    cwd: root,
    env: { ...(process.env as Record<string, string>), ...ports(), RUN_FOLDER: folder },
    url: process.env.E2E_URL_ADMIN,
    timeout: 180_000,
    gracefulShutdown: { signal: 'SIGTERM' as const, timeout: 60_000 },
  };
}

const running = process.env.E2E_URL_ADMIN && !process.env.RUN_FOLDER;

export default defineConfig({
  testDir: 'e2e',
  globalSetup: './e2e/wait-for-data.ts',
  workers: 1,
  // A loaded machine is slow; a broken page does not get well by waiting.
  timeout: 120_000,
  expect: { timeout: 30_000 },
  reporter: process.env.CI ? 'line' : 'list',
  forbidOnly: Boolean(process.env.CI),
  use: {
    locale: 'en-GB',
    viewport: { width: 1280, height: 800 },
    launchOptions: {
      executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
      // As root in a container there is no sandbox; without a GPU the map is drawn in software.
      args: ['--no-sandbox', '--use-gl=angle', '--use-angle=swiftshader', '--enable-unsafe-swiftshader'],
    },
    trace: 'retain-on-failure',
  },
  projects: [
    // The user front end has a system with known goods of its own: playwright.app.config.ts.
    { name: 'tests', testMatch: '**/*.spec.ts', testIgnore: '**/app/**' },
    { name: 'screenshots', testMatch: '**/*.shots.ts' },
    { name: 'pictures', testMatch: '**/*.pictures.ts' },
  ],
  ...(running ? {} : { webServer: ownSystem() }),
});
