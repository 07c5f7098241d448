// Browser tests of the user front end over a whole system of its own (e2e/app/setup.ts): `npm run e2e:app`.
// `npm run screenshots:app` writes pictures of every screen into screenshots/app instead.
import { defineConfig } from '@playwright/test';

const pictures = process.env.SCREENSHOTS === '1';

export default defineConfig({
  testDir: 'e2e/app',
  testMatch: pictures ? 'screenshots.ts' : '*.spec.ts',
  globalSetup: './e2e/app/setup.ts',
  outputDir: 'test-results/app',
  workers: 1,
  // What fails twice is broken; the trace of the first time is kept.
  retries: process.env.CI ? 1 : 0,
  timeout: 90_000,
  expect: { timeout: 30_000 },
  reporter: 'line',
  use: {
    baseURL: process.env.E2E_APP_URL ?? '',
    locale: 'en',
    timezoneId: 'Europe/Berlin',
    screenshot: 'only-on-failure',
    launchOptions: {
      executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
      // The map draws without a graphics card; root's browser has no sandbox.
      args: [
        '--use-angle=swiftshader',
        '--enable-unsafe-swiftshader',
        ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
      ],
    },
  },
});
