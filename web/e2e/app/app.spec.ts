// The user front end, screen by screen, as customers use it.
import { expect, test } from '@playwright/test';
import { signIn, trackerId, world } from './world';

test(
  'signs in, keeps the address, tells a wrong password, signs out in every tab',
  { tag: '@short' },
  async ({ page, context }) => {
    await page.goto('/runs');
    await page.getByLabel('Email address').fill(world.user);
    await page.getByLabel('Password').fill('not the password');
    await page.getByRole('button', { name: 'Sign in' }).click();
    await expect(page.getByText('Wrong email address or password.')).toBeVisible();
    await page.getByLabel('Password').fill(world.password);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await expect(page.getByRole('heading', { name: 'Production runs' })).toBeVisible();
    expect(await page.evaluate(() => JSON.stringify({ ...localStorage, ...sessionStorage }))).not.toContain('eyJ');

    const second = await context.newPage();
    await second.goto('/');
    await expect(second.getByRole('heading', { level: 1 })).toContainText('Good to see you');
    await page.getByRole('button', { name: 'Account' }).click();
    await page.getByRole('menuitem', { name: 'Sign out', exact: true }).click();
    await expect(page.getByRole('button', { name: 'Sign in' })).toBeVisible();
    await expect(second.getByRole('button', { name: 'Sign in' })).toBeVisible();
  },
);

test('overview counts units by status and leads to them', { tag: '@short' }, async ({ page }) => {
  await signIn(page, world.user);
  await expect(page.getByText('2 of 5 delivered')).toBeVisible();
  await page.getByRole('link', { name: /^1\s*In transit/ }).click();
  await expect(page).toHaveURL(/\/trackers\?status=IN_TRANSIT/);
  const list = page.getByRole('main').getByRole('listitem');
  await expect(list).toHaveCount(1);
  await expect(list).toContainText('Display 003');
});

test('filters live in the address; the map asks for tiles with them', async ({ page }) => {
  const tiles: string[] = [];
  page.on('request', (request) => request.url().includes('/map/trackers/') && tiles.push(request.url()));
  await signIn(page, world.user, '/trackers');
  await expect(page.getByRole('main').getByRole('listitem')).toHaveCount(12);
  await expect(page.getByRole('region', { name: 'Map of the trackers' })).toBeVisible();
  await page.getByRole('searchbox', { name: 'Search trackers' }).fill('Counter');
  await expect(page.getByRole('main').getByRole('listitem')).toHaveCount(7);
  await page.getByRole('button', { name: 'Filters' }).click();
  await page.getByLabel('Status').selectOption('IN_STORAGE');
  await expect(page.getByRole('main').getByRole('listitem')).toHaveCount(3);
  await expect
    .poll(() => tiles.some((url) => url.includes('q=Counter') && url.includes('status=IN_STORAGE')))
    .toBe(true);
  await page.reload();
  await expect(page.getByRole('main').getByRole('listitem')).toHaveCount(3);
  await expect(page.getByRole('searchbox', { name: 'Search trackers' })).toHaveValue('Counter');
  await page.getByRole('button', { name: 'Clear filters' }).click();
  await expect(page.getByRole('main').getByRole('listitem')).toHaveCount(12);
});

test('on a phone, the map is loaded only when it is wanted', async ({ page }) => {
  await page.setViewportSize({ width: 360, height: 740 });
  let maps = 0;
  page.on('request', (request) => (maps += Number(request.url().includes('MapView'))));
  await signIn(page, world.user, '/trackers');
  await expect(page.getByRole('main').getByRole('listitem')).toHaveCount(12);
  expect(maps).toBe(0);
  await page.getByRole('button', { name: 'Map', exact: true }).click();
  await expect(page.getByRole('region', { name: 'Map of the trackers' })).toBeVisible();
  expect(maps).toBeGreaterThan(0);
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(360);
});

test('a tracker tells its status, why, and where it was', { tag: '@short' }, async ({ page }) => {
  await signIn(page, world.user, `/trackers/${trackerId('Display 001')}`);
  await expect(page.getByText(/^Delivered to Store Berlin Mitte since /)).toBeVisible();
  await page.getByText('Why?').click();
  await expect(page.getByText('A position showed it inside the delivery location Store Berlin Mitte.')).toBeVisible();
  await expect(page.getByText('Arrived at Warehouse Hamburg')).toBeVisible();
  const slider = page.getByRole('slider', { name: 'Moment on the track' });
  const newest = await slider.getAttribute('aria-valuetext');
  await slider.focus();
  await page.keyboard.press('Home');
  await expect(slider).not.toHaveAttribute('aria-valuetext', newest ?? '');
  await page.getByRole('tab', { name: 'Statuses and why' }).click();
  await expect(page).toHaveURL(/tab=statuses/);
  await expect(page.getByText('A position showed it clearly outside the storage location.')).toBeVisible();
});

test('a run shows its progress, places and trackers', { tag: '@short' }, async ({ page }) => {
  await signIn(page, world.user, `/runs/${world.nord.runs[0]}`);
  await expect(page.getByRole('progressbar', { name: 'Progress of Polar floor displays' })).toHaveAttribute(
    'aria-valuetext',
    '2 of 5 delivered',
  );
  await page.getByRole('tab', { name: 'Places' }).click();
  await expect(page.getByText('Store Munich')).toBeVisible();
});

test('a share link shows one tracker without an account until it is ended', async ({ page, browser }) => {
  await signIn(page, world.manager, `/trackers/${trackerId('Display 002')}?tab=share`);
  await page.getByLabel('Name', { exact: false }).fill('Shop in Munich');
  await page.getByRole('button', { name: 'Create a link' }).click();
  const address = await page.getByLabel('Address of the link').inputValue();
  expect(address).toMatch(/\/s\/[\w-]{20,}$/);

  const stranger = await browser.newContext({ viewport: { width: 360, height: 740 } });
  const shared = await stranger.newPage();
  await shared.goto(address);
  await expect(shared.getByText(/^Delivered to Store Munich since /)).toBeVisible();
  await expect(shared.getByText('Display 001')).toHaveCount(0);
  await expect(shared.getByRole('heading', { level: 1 })).toHaveCount(1);

  await page.getByRole('button', { name: 'End the link' }).click();
  await page.getByRole('alertdialog').getByRole('button', { name: 'End the link' }).click();
  await expect(page.getByText('There are no links yet.')).toBeVisible();
  await shared.reload();
  await expect(shared.getByText('This link does not work')).toBeVisible();
  await stranger.close();
});

test('users may look at links and images, not make them', async ({ page }) => {
  await signIn(page, world.user, `/trackers/${trackerId('Display 004')}?tab=share`);
  await expect(page.getByText('There are no links yet.')).toBeVisible();
  await expect(page.getByRole('button', { name: 'Create a link' })).toHaveCount(0);
  await page.getByRole('tab', { name: 'Images' }).click();
  await expect(page.getByText('No images yet')).toBeVisible();
  await expect(page.getByRole('button', { name: 'Add images' })).toHaveCount(0);
});

test('managers add images, look through them by keyboard and delete them', async ({ page }) => {
  await signIn(page, world.manager, `/trackers/${trackerId('Display 004')}?tab=images`);
  const picture = await page.screenshot();
  const files = ['one.png', 'two.png'].map((name) => ({ name, mimeType: 'image/png', buffer: picture }));
  await page.getByLabel('Add images').first().setInputFiles(files);
  const thumbnails = page.getByRole('button', { name: /^Image \d of 2 of Display 004$/ });
  await expect(thumbnails).toHaveCount(2);
  await expect
    .poll(() =>
      thumbnails
        .first()
        .locator('img')
        .evaluate((img: HTMLImageElement) => img.naturalWidth),
    )
    .toBe(320);
  await thumbnails.first().click();
  const box = page.getByRole('dialog', { name: 'Image 1 of 2' });
  await expect(box).toBeVisible();
  await page.keyboard.press('ArrowRight');
  await expect(page.getByRole('dialog', { name: 'Image 2 of 2' })).toBeVisible();
  await page.keyboard.press('Escape');
  await expect(page.getByRole('dialog')).toHaveCount(0);

  const second = await thumbnails.nth(1).locator('img').getAttribute('src');
  await page.getByRole('button', { name: 'Change: Image 2 of 2' }).click();
  await page.getByRole('textbox', { name: 'Caption' }).fill('Seen from the door');
  await page.getByLabel('Place in the gallery').selectOption('1');
  await page.getByRole('button', { name: 'Save' }).click();
  await expect(page.getByRole('dialog')).toHaveCount(0);
  const captioned = page.getByRole('button', { name: 'Seen from the door', exact: true });
  await expect(captioned).toHaveCount(1);
  const first = page.getByRole('tabpanel').getByRole('listitem').first();
  await expect(first).toContainText('Seen from the door');
  expect((await first.locator('img').getAttribute('src'))?.split('?')[0]).toBe(second?.split('?')[0]);

  await page.getByRole('button', { name: 'Delete: Seen from the door' }).click();
  await page.getByRole('alertdialog').getByRole('button', { name: 'Delete' }).click();
  await expect(page.getByRole('button', { name: /^Image 1 of 1/ })).toHaveCount(1);
});

test('a wish to be told is kept, listed and ended', async ({ page }) => {
  await signIn(page, world.user, `/trackers/${trackerId('Display 003')}?tab=notify`);
  await page.getByLabel('Battery is low').check();
  await page.getByRole('button', { name: 'Notify me', exact: true }).click();
  await expect(page.getByRole('button', { name: 'Stop notifying me' })).toBeVisible();
  await page.goto('/notifications?tab=wishes');
  await expect(page.getByText('Display 003')).toBeVisible();
  await page.getByRole('link', { name: 'Change' }).click();
  await expect(page.getByLabel('Battery is low')).toBeChecked();
  await page.getByRole('button', { name: 'Stop notifying me' }).click();
  await expect(page.getByRole('button', { name: 'Notify me', exact: true })).toBeVisible();
});

test('what belongs to somebody else, or is no page at all, is not found', async ({ page }) => {
  await signIn(page, world.user, `/trackers/${trackerId('Stand 001')}`);
  await expect(page.getByRole('main').getByText('Not found')).toBeVisible();
  for (const path of ['/trackers/abc', '/runs/99999999', '/nowhere']) {
    await page.goto(path);
    await expect(page.getByText('Not found')).toBeVisible();
  }
  await page.goto('/s/not-a-token');
  await expect(page.getByText('This link does not work')).toBeVisible();
});

test('who has nothing yet is told so', async ({ page }) => {
  await signIn(page, world.lonely);
  await expect(page.getByText('There are no trackers for you yet')).toBeVisible();
  await page.goto('/trackers');
  await expect(page.getByText('There are no trackers for you yet')).toBeVisible();
  await page.goto('/notifications');
  await expect(page.getByText('No notifications yet')).toBeVisible();
});

test('an unreachable server is told, never mistaken for a sign-out', async ({ page, context }) => {
  await signIn(page, world.user, '/exceptions');
  await context.route('**/api/**', (route) => route.abort());
  await page.getByRole('link', { name: 'Production runs' }).click();
  await expect(page.getByText('The server cannot be reached', { exact: false }).first()).toBeVisible();
  await context.unroute('**/api/**');
  await page.getByRole('button', { name: 'Try again' }).first().click();
  await expect(page.getByText('Polar counter units')).toBeVisible();
});

test('the shell opens without a network; no data is kept', async ({ page, context }) => {
  await signIn(page, world.user);
  await expect(page.getByText('2 of 5 delivered')).toBeVisible();
  await page.evaluate(async () => (await navigator.serviceWorker.ready).active?.state);
  const kept = await page.evaluate(async () => {
    const names = await caches.keys();
    const requests = await Promise.all(names.map(async (name) => (await caches.open(name)).keys()));
    return requests.flat().map(({ url }) => new URL(url).pathname);
  });
  expect(kept).toContain('/index.html');
  expect(kept.filter((path) => path.startsWith('/api'))).toEqual([]);
  await expect.poll(() => page.evaluate(() => navigator.serviceWorker.controller !== null)).toBe(true);
  await context.setOffline(true);
  await page.reload();
  await expect(page.getByRole('heading', { name: 'The server cannot be reached' })).toBeVisible();
  await context.setOffline(false);
});
