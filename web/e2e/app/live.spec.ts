// What happens while somebody looks: goods that move, messages, other tabs, sessions that end, networks that fail.
import { expect, test } from '@playwright/test';
import { seenAt, signIn, signOutElsewhere, trackerId, world } from './world';

const MUNICH = [48.1374, 11.5755] as const;
const HAMBURG = [53.5327, 9.9294] as const;

test('a unit that arrives is shown at once, on its page, on the overview and under the bell', async ({
  page,
  context,
}) => {
  await signIn(page, world.user, `/trackers/${trackerId('Counter 002')}?tab=notify`);
  await page.getByRole('button', { name: 'Notify me', exact: true }).click();
  await expect(page.getByRole('button', { name: 'Stop notifying me' })).toBeVisible();
  await page.goto(`/trackers/${trackerId('Counter 002')}`);
  await expect(page.getByText(/^In storage at Warehouse Hamburg since /)).toBeVisible();
  const overview = await context.newPage();
  await overview.goto('/');
  await expect(overview.getByText('4 of 7 delivered')).toBeVisible();
  await expect(overview.getByText('Live', { exact: true })).toBeAttached();
  await expect(page.getByText('Live', { exact: true })).toBeAttached();

  await seenAt('Counter 002', MUNICH);
  await expect(page.getByText(/^Delivered to Store Munich since /)).toBeVisible();
  await expect(page.getByText('Arrived at Store Munich')).toBeVisible();
  await expect(overview.getByText('5 of 7 delivered')).toBeVisible();
  await page.getByRole('link', { name: 'Notifications, 1 unread' }).click();
  await page.getByRole('link', { name: /Counter 002.*Store Munich/ }).click();
  await expect(page).toHaveURL(new RegExp(`/trackers/${trackerId('Counter 002')}$`));
  await expect(page.getByRole('link', { name: 'Notifications', exact: true }).last()).toBeVisible();
});

test('everything of a client can be asked for; mail can be switched off', async ({ page }) => {
  await signIn(page, world.manager, '/notifications?tab=wishes');
  const everything = 'Everything of Nordlicht Displays';
  await page.getByRole('button', { name: everything }).click();
  const dialog = page.getByRole('dialog', { name: everything });
  await dialog.getByLabel('Not seen for days').check();
  await dialog.getByLabel('Days without a position').fill('0');
  await dialog.getByRole('button', { name: 'Notify me' }).click();
  await expect(dialog.getByText('A whole number from 1 to 365.')).toBeVisible();
  await dialog.getByLabel('Days without a position').fill('14');
  await dialog.getByRole('button', { name: 'Notify me' }).click();
  await expect(page.getByRole('listitem').getByText(everything)).toHaveCount(2); // the wish, and the button

  await page.getByLabel('Mail to manager@nordlicht.example').uncheck();
  await page.reload();
  await expect(page.getByLabel('Mail to manager@nordlicht.example')).not.toBeChecked();
  await page.getByLabel('Mail to manager@nordlicht.example').check();

  await page.getByRole('button', { name: 'Change', exact: true }).click();
  await expect(dialog.getByLabel('Days without a position')).toHaveValue('14');
  await dialog.getByRole('button', { name: 'Stop notifying me' }).click();
  await expect(page.getByText('You are not told of anything yet')).toBeVisible();
});

test('a session that was ended elsewhere asks for the password in every tab and keeps the address', async ({
  page,
  context,
}) => {
  await signIn(page, world.lonely, '/exceptions');
  const second = await context.newPage();
  await second.goto('/runs');
  await expect(second.getByRole('heading', { name: 'Production runs' })).toBeVisible();
  await signOutElsewhere(page, world.lonely);
  await page.getByRole('link', { name: 'Trackers' }).click();
  await expect(page.getByText('Your session has ended', { exact: false })).toBeVisible();
  await expect(second.getByRole('button', { name: 'Sign in' })).toBeVisible();
  await page.getByLabel('Email address').fill(world.lonely);
  await page.getByLabel('Password').fill(world.password);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await expect(page).toHaveURL(/\/trackers$/);
  await expect(page.getByText('There are no trackers for you yet')).toBeVisible();
  await expect(second.getByRole('heading', { name: 'Production runs' })).toBeVisible();
});

test('a slow network shows that something is coming, and never somebody else’s page', async ({ page, context }) => {
  await signIn(page, world.user, '/exceptions');
  let letGo = () => {};
  const wait = new Promise<void>((resolve) => (letGo = resolve));
  await context.route('**/api/v1/trackers/*', async (route) => {
    await wait;
    await route.continue();
  });
  await page.goto(`/trackers/${trackerId('Display 001')}`);
  await expect(page.getByText('Loading…')).toBeVisible();
  await page.getByRole('link', { name: 'Production runs' }).click();
  letGo();
  await expect(page.getByRole('heading', { name: 'Production runs' })).toBeVisible();
  await expect(page.getByText(/^Delivered to/)).toHaveCount(0);
});

test('a server that fails is told with a way to try again; the rest of the page stays', async ({ page, context }) => {
  await signIn(page, world.user, '/runs');
  await context.route('**/api/v1/exceptions*', (route) =>
    route.fulfill({
      status: 503,
      contentType: 'application/problem+json',
      body: JSON.stringify({ status: 503, code: 'database_unavailable', title: 'Service Unavailable' }),
    }),
  );
  await page.getByRole('link', { name: 'Needs attention' }).click();
  const again = page.getByRole('button', { name: 'Try again' });
  await expect(again).toBeVisible();
  await expect(page.getByRole('heading', { name: 'Needs attention' })).toBeVisible();
  await context.unroute('**/api/v1/exceptions*');
  await again.click();
  await expect(page.getByText('Nothing needs your attention.')).toBeVisible();
});

test('goods that leave again are no longer delivered', async ({ page }) => {
  await signIn(page, world.user, `/trackers/${trackerId('Counter 001')}`);
  await expect(page.getByText(/^Delivered to Store Berlin Mitte since /)).toBeVisible();
  await seenAt('Counter 001', HAMBURG);
  await expect(page.getByText(/^In storage at Warehouse Hamburg since /)).toBeVisible();
});
