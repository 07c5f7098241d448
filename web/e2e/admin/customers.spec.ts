// What a customer's own manager sees: nothing yet, nothing of others, and a network that takes its time.
import type { Page } from '@playwright/test';
import { adminUrl, expect, expectAccessible, signedInPage, test } from '../fixtures';
import { PASSWORD } from '../accounts';
import { signedInApi } from './api';

let page: Page;
const unique = Date.now().toString(36);

test.beforeAll(async ({ browser, playwright }) => {
  const request = await playwright.request.newContext();
  const api = await signedInApi(request);
  const { id } = await api.call<{ id: number }>('POST', '/clients', { name: `Empty House ${unique}` });
  const email = `manager-${unique}@example.com`;
  await api.call('POST', '/users', { email, name: 'Manager', role: 'manager', client_ids: [id], password: PASSWORD });
  await request.dispose();
  page = await signedInPage(browser, adminUrl(), email);
});
test.afterAll(() => page.context().close());

test('who has nothing yet is told so on every list', async () => {
  for (const path of ['/brands', '/production-runs', '/trackers', '/storage-locations', '/exceptions', '/events']) {
    await page.goto(adminUrl() + path);
    await expect(page.getByText('Nothing here yet').first(), path).toBeVisible();
  }
  await page.goto(adminUrl());
  await expect(page.getByRole('heading', { name: 'Dashboard' })).toBeVisible();
  await expectAccessible(page);
});

test('what belongs to somebody else, or to administrators, is not found', async () => {
  for (const path of ['/trackers/1', '/clients/1', '/delivery-locations/1', '/apple-accounts', '/audit-log/1']) {
    await page.goto(adminUrl() + path);
    await expect(page.getByText('This page does not exist, or it belongs to somebody else.'), path).toBeVisible();
  }
  await expect(page.getByRole('link', { name: 'Apple accounts' })).toHaveCount(0);
});

test('a slow network shows that something is coming', async () => {
  await page.route('**/api/v1/brands?**', async (route) => {
    await new Promise((done) => setTimeout(done, 3000));
    await route.continue();
  });
  await page.goto(`${adminUrl()}/brands`);
  await expect(page.getByText('Loading…').first()).toBeVisible();
  await expect(page.getByText('Nothing here yet').first()).toBeVisible();
  await page.unroute('**/api/v1/brands?**');
});
