// Pictures of both front ends for README and docs, of moving demo trackers, into docs/images: `npm run pictures`.
//
// They are WebP, made by the browser itself. Everything is looked at in one browser on one host name, each front end signed in.
import { writeFile, mkdir } from 'node:fs/promises';
import { resolve } from 'node:path';
import { ADMIN, CUSTOMER, PASSWORD } from './accounts';
import { adminUrl, appUrl, expect, signIn, test } from './fixtures';
import type { Page } from '@playwright/test';

const FOLDER = resolve(import.meta.dirname, '../../docs/images');
/** Small enough for a page with several of them, and text is still sharp. */
const QUALITY = 72;
/** Maps are drawn without a graphics card. */
const DRAWN_MS = 4000;
const DELIVERED_MS = 300_000;

type Screen = [name: string, path: string, prepare?: (page: Page) => Promise<void>];

async function picture(page: Page, name: string): Promise<void> {
  const devtools = await page.context().newCDPSession(page);
  const { data } = await devtools.send('Page.captureScreenshot', { format: 'webp', quality: QUALITY });
  await devtools.detach();
  await writeFile(resolve(FOLDER, `${name}.webp`), Buffer.from(data, 'base64'));
}

async function pictures(page: Page, url: string, prefix: string, screens: Screen[]): Promise<void> {
  for (const [name, path, prepare] of screens) {
    await page.goto(url + path);
    await expect(page.getByRole('heading', { level: 1 }).first()).toBeVisible();
    await page.waitForLoadState('load');
    await prepare?.(page);
    await page.waitForTimeout(DRAWN_MS);
    await picture(page, `${prefix}-${name}`);
  }
}

/** Ids of rows that are worth a picture, as the API names them to the signed-in page. */
async function someone(page: Page, url: string, email: string, path: string): Promise<{ id: number }[]> {
  const login = await page.request.post(`${url}/api/v1/auth/login/json`, {
    data: { email, password: PASSWORD },
  });
  const { access_token } = (await login.json()) as { access_token: string };
  const answer = await page.request.get(`${url}/api/v1${path}`, {
    headers: { Authorization: `Bearer ${access_token}` },
  });
  return ((await answer.json()) as { items: { id: number }[] }).items;
}

async function delivered(page: Page): Promise<number> {
  const path = '/trackers?status=DELIVERED&sort=-status_since&limit=1';
  await expect.poll(() => someone(page, appUrl(), CUSTOMER, path), { timeout: DELIVERED_MS }).not.toEqual([]);
  return (await someone(page, appUrl(), CUSTOMER, path))[0]?.id ?? 0;
}

test('pictures', async ({ browser }) => {
  test.setTimeout(1_800_000);
  await mkdir(FOLDER, { recursive: true });
  const context = await browser.newContext({
    viewport: { width: 1280, height: 800 },
    locale: 'en-GB',
    reducedMotion: 'reduce',
  });
  const app = await context.newPage();
  await app.goto(appUrl());
  await expect(app.getByRole('button', { name: 'Sign in' })).toBeVisible();
  await picture(app, 'app-sign-in');
  await signIn(app, appUrl(), CUSTOMER);
  await expect(app.getByRole('button', { name: 'Account' })).toBeVisible();
  const tracker = `/trackers/${await delivered(app)}`;
  const run = `/runs/${(await someone(app, appUrl(), CUSTOMER, '/production-runs?limit=1'))[0]?.id ?? 0}`;
  await pictures(app, appUrl(), 'app', [
    ['overview', '/'],
    ['trackers', '/trackers'],
    ['tracker', tracker],
    ['statuses', `${tracker}?tab=statuses`],
    ['images', `${tracker}?tab=images`],
    ['share', `${tracker}?tab=share`],
    ['notify', `${tracker}?tab=notify`],
    ['runs', '/runs'],
    ['run', run],
    ['exceptions', '/exceptions'],
    ['notifications', '/notifications'],
    ['wishes', '/notifications?tab=wishes'],
    ['profile', '/profile'],
  ]);
  await app.emulateMedia({ colorScheme: 'dark', reducedMotion: 'reduce' });
  await pictures(app, appUrl(), 'app', [['tracker-dark', tracker]]);
  await app.emulateMedia({ colorScheme: 'light', reducedMotion: 'reduce' });
  await app.setViewportSize({ width: 360, height: 740 });
  await pictures(app, appUrl(), 'app', [
    ['overview-phone', '/'],
    ['tracker-phone', tracker],
  ]);

  const admin = await context.newPage();
  await signIn(admin, adminUrl(), ADMIN);
  await expect(admin.getByRole('button', { name: 'Account' })).toBeVisible();
  const first = async (path: string) => (await someone(admin, adminUrl(), ADMIN, path))[0]?.id ?? 0;
  await pictures(admin, adminUrl(), 'admin', [
    ['dashboard', '/'],
    ['clients', '/clients'],
    ['runs', '/production-runs'],
    ['run-places', `/production-runs/${await first('/production-runs?limit=1')}?tab=places`],
    ['trackers', '/trackers'],
    ['tracker', tracker],
    ['place', `/delivery-locations/${await first('/delivery-locations?limit=1')}`],
    ['exclusion-areas', '/exclusion-areas'],
    ['users', '/users'],
    ['api-keys', '/api-keys'],
    ['apple-account', `/apple-accounts/${await first('/apple-accounts?limit=1')}`],
    ['fetch-batches', '/fetch-batches'],
    ['tasks', '/tasks'],
    ['audit', '/audit-log'],
  ]);
  // The first session is there as ever: each front end has its own.
  await app.reload();
  await expect(app.getByRole('button', { name: 'Account' })).toBeVisible();
  await context.close();
});
