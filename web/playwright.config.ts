// Browser tests of the admin panel over a real system: `make run`'s own processes and simulator, Debian's Chromium.
//
//   npm run e2e --prefix web               all of them, the user front end's as well
//   npm run e2e:short --prefix web         the main paths of both front ends: part of `make test`
//   npm run screenshots --prefix web       pictures of every screen into web/screenshots
import { defineConfig } from '@playwright/test';

export default defineConfig({
  testDir: 'e2e',
  globalSetup: './e2e/admin/setup.ts',
  outputDir: 'test-results/admin',
  workers: 1,
  // What fails twice is broken; the trace of the first time is kept.
  retries: process.env.CI ? 1 : 0,
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
});
