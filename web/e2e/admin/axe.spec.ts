// No screen has an accessibility fault that axe can find, in light and dark.
import type { Page } from '@playwright/test';
import { ADMIN } from '../accounts';
import { adminUrl, expect, expectAccessible, signedInPage, test } from '../fixtures';
import { screens } from './screens';
import { show } from './show';

let page: Page;
test.beforeAll(async ({ browser }) => {
  page = await signedInPage(browser, adminUrl(), ADMIN);
});
test.afterAll(() => page.context().close());

for (const [name, screen] of Object.entries(screens)) {
  test(`axe finds nothing on ${name}`, { tag: screen.short ? ['@short'] : [] }, async () => {
    await show(page, screen);
    await expectAccessible(page);
  });
}

test('axe finds nothing in the command palette', async () => {
  await page.goto(adminUrl());
  await expect(page.getByRole('heading', { name: 'Dashboard' })).toBeVisible();
  await page.keyboard.press('Control+k');
  await expect(page.getByPlaceholder('Search or type a command…')).toBeVisible();
  await expectAccessible(page);
});
