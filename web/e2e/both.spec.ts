// Both front ends in one browser on one host name: cookies do not know ports, yet each keeps a session of its own.
import { ADMIN, CUSTOMER } from './accounts';
import { adminUrl, appUrl, expect, signIn, test } from './fixtures';
import type { Page } from '@playwright/test';

async function expectSignedIn(page: Page, email: string): Promise<void> {
  await page.getByRole('button', { name: 'Account' }).click();
  await expect(page.getByText(email)).toBeVisible();
  await page.keyboard.press('Escape');
}

test('two people are signed in, one in each front end, and leave one by one', async ({ browser }) => {
  const context = await browser.newContext();
  const admin = await context.newPage();
  await signIn(admin, adminUrl(), ADMIN);
  await expectSignedIn(admin, ADMIN);
  const app = await context.newPage();
  await signIn(app, appUrl(), CUSTOMER);
  await expectSignedIn(app, CUSTOMER);

  // Nothing is left in memory: the cookies must tell.
  for (const [page, email] of [[admin, ADMIN] as const, [app, CUSTOMER] as const]) {
    await page.reload();
    await expectSignedIn(page, email);
  }

  await app.getByRole('button', { name: 'Account' }).click();
  await app.getByRole('menuitem', { name: 'Sign out', exact: true }).click();
  await expect(app.getByRole('button', { name: 'Sign in' })).toBeVisible();
  await app.reload();
  await expect(app.getByRole('button', { name: 'Sign in' })).toBeVisible();
  await admin.reload();
  await expectSignedIn(admin, ADMIN);
  await context.close();
});
