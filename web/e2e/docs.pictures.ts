// Pictures of both front ends for README and docs, of moving demo trackers, into docs/images: `npm run pictures`.
//
// They are WebP, made by the browser itself. Everything is looked at in one browser on one host name, each front end signed in.
import { writeFile, mkdir } from 'node:fs/promises';
import { resolve } from 'node:path';
import { ADMIN, CUSTOMER, PASSWORD } from './accounts';
import { drawn } from './drawn';
import { adminUrl, appUrl, expect, signIn, test } from './fixtures';
import type { Page } from '@playwright/test';

const FOLDER = resolve(import.meta.dirname, '../../docs/images');
/** Small enough for a page with several of them, and text is still sharp. */
const QUALITY = 72;
const DELIVERED_MS = 300_000;

type Screen = [name: string, path: string, prepare?: (page: Page) => Promise<void>];

/** What a tab shows lies below the map. */
async function toTheTabs(page: Page): Promise<void> {
  await page.getByRole('tablist').evaluate((tabs: HTMLElement) => {
    tabs.style.scrollMarginTop = '5rem';
    tabs.scrollIntoView();
  });
}

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
    await drawn(page);
    await prepare?.(page);
    await picture(page, `${prefix}-${name}`);
  }
}

/** The API as somebody sees it; the pages' own sessions are left alone. */
async function caller(page: Page, email: string): Promise<Caller> {
  const at = `${appUrl()}/api/v1`;
  const login = await page.request.post(`${at}/auth/login/json`, { data: { email, password: PASSWORD } });
  const { access_token } = (await login.json()) as { access_token: string };
  const headers = { Authorization: `Bearer ${access_token}` };
  return {
    items: async (path) => {
      const answer = await page.request.get(at + path, { headers });
      return ((await answer.json()) as { items: { id: number }[] }).items;
    },
    send: async (path, data, type = 'application/json') => {
      const answer = await page.request.post(at + path, { headers: { ...headers, 'Content-Type': type }, data });
      expect(answer.status(), await answer.text()).toBe(201);
    },
  };
}

interface Caller {
  items: (path: string) => Promise<{ id: number }[]>;
  send: (path: string, data: Buffer | object, type?: string) => Promise<void>;
}

/** Something to look at in a gallery: a drawing of a display. */
async function drawing(page: Page, hue: number): Promise<Buffer> {
  const data = await page.evaluate((color) => {
    const canvas = Object.assign(document.createElement('canvas'), { width: 800, height: 800 });
    const brush = canvas.getContext('2d');
    if (!brush) throw new Error('cannot draw');
    const box = (fill: string, ...sides: [number, number, number, number]) => {
      brush.fillStyle = fill;
      brush.fillRect(...sides);
    };
    box('hsl(40 20% 92%)', 0, 0, 800, 560);
    box('hsl(30 15% 70%)', 0, 560, 800, 240);
    box(`hsl(${color} 45% 40%)`, 250, 120, 300, 560);
    for (const shelf of [240, 370, 500]) box(`hsl(${color} 40% 88%)`, 275, shelf, 250, 90);
    brush.fillStyle = 'white';
    brush.font = 'bold 44px sans-serif';
    brush.textAlign = 'center';
    brush.fillText('AURORA', 400, 200);
    return canvas.toDataURL('image/png').split(',')[1] ?? '';
  }, hue);
  return Buffer.from(data, 'base64');
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
  const customer = await caller(app, CUSTOMER);
  const operator = await caller(app, ADMIN);
  const first = async (path: string) => (await operator.items(path))[0]?.id ?? 0;
  const kinds = ['delivered', 'left_delivery', 'arrived_in_storage', 'left_storage', 'silent'];
  await customer.send('/subscriptions', { kinds, by_mail: false });
  const path = '/trackers?status=DELIVERED&sort=-status_since&limit=1';
  await expect.poll(() => customer.items(path), { timeout: DELIVERED_MS }).not.toEqual([]);
  const id = (await customer.items(path))[0]?.id ?? 0;
  const tracker = `/trackers/${id}`;
  const run = `/runs/${(await customer.items('/production-runs?limit=1'))[0]?.id ?? 0}`;
  for (const [position, caption] of ['Set up at the entrance', 'Second floor', 'Back side'].entries())
    await operator.send(
      `/images?${new URLSearchParams({ owner_kind: 'tracker', owner_id: String(id), position: String(position), caption }).toString()}`,
      await drawing(app, 210 + 70 * position),
      'image/png',
    );
  await pictures(app, appUrl(), 'app', [
    ['overview', '/'],
    ['trackers', '/trackers'],
    ['tracker', tracker],
    ['statuses', `${tracker}?tab=statuses`, toTheTabs],
    ['images', `${tracker}?tab=images`, toTheTabs],
    ['share', `${tracker}?tab=share`, toTheTabs],
    ['notify', `${tracker}?tab=notify`, toTheTabs],
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
