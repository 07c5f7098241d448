// Signing in and out of the admin panel: wrong passwords, two tabs, an expired session, a server that is away.
import { ADMIN, CUSTOMER, PASSWORD } from '../accounts';
import { adminUrl, expect, expectAccessible, signedInPage, signIn, test } from '../fixtures';

const account = { name: 'Account' };
const heading = { name: 'Sign in', level: 1 };

test('the sign-in page is accessible and says what is wrong', { tag: '@short' }, async ({ page }) => {
  await page.goto(adminUrl());
  await expect(page.getByRole('heading', heading)).toBeVisible();
  await expectAccessible(page);
  await page.getByRole('button', { name: 'Sign in', exact: true }).click();
  await expect(page.getByText('Please fill this in.')).toHaveCount(2);
  await signIn(page, adminUrl(), ADMIN, 'wrong-password');
  await expect(page.getByRole('alert')).toHaveText('Wrong email address or password.');
});

test('the language is switched and kept', async ({ page }) => {
  await page.goto(adminUrl());
  await page.getByLabel('Language').selectOption('Deutsch');
  await expect(page.getByRole('heading', { name: 'Anmelden' })).toBeVisible();
  await page.reload();
  await expect(page.getByRole('heading', { name: 'Anmelden' })).toBeVisible();
  await expect(page.locator('html')).toHaveAttribute('lang', 'de');
});

test('two tabs share a session, survive a reload and sign out together', { tag: '@short' }, async ({ browser }) => {
  const one = await signedInPage(browser, adminUrl(), ADMIN);
  const two = await one.context().newPage();
  await two.goto(`${adminUrl()}/brands`);
  await expect(two.getByRole('heading', { name: 'Brands' })).toBeVisible();
  await Promise.all([one.reload(), two.reload()]);
  await expect(one.getByRole('button', account)).toBeVisible();
  await expect(two.getByRole('button', account)).toBeVisible();
  // The token is in no storage that a script could read.
  const stored = await one.evaluate(() => JSON.stringify({ ...localStorage, ...sessionStorage }) + document.cookie);
  expect(stored).not.toContain('eyJ');
  await one.getByRole('button', account).click();
  await one.getByRole('menuitem', { name: 'Sign out' }).click();
  await expect(one.getByRole('heading', heading)).toBeVisible();
  await expect(two.getByRole('heading', heading)).toBeVisible();
  await one.context().close();
});

test('a session that was ended elsewhere leads to the sign-in page, and back to where one was', async ({ browser }) => {
  const page = await signedInPage(browser, adminUrl(), ADMIN);
  await page.goto(`${adminUrl()}/clients?q=Nord`);
  await expect(page.getByRole('link', { name: 'Nordlicht Displays' })).toBeVisible();
  await page.context().clearCookies();
  await page.reload();
  await expect(page.getByRole('heading', heading)).toBeVisible();
  await page.getByLabel('Email address').fill(ADMIN);
  await page.getByLabel('Password').fill(PASSWORD);
  await page.getByRole('button', { name: 'Sign in', exact: true }).click();
  await expect(page.getByRole('link', { name: 'Nordlicht Displays' })).toBeVisible();
  expect(page.url()).toContain('/clients?q=Nord');
  await page.context().close();
});

test('a server that is away signs nobody out', async ({ browser }) => {
  const page = await signedInPage(browser, adminUrl(), ADMIN);
  await page.route('**/api/**', (route) => route.abort());
  await page.getByRole('link', { name: 'Production runs' }).first().click();
  await expect(
    page.getByText('The server cannot be reached. Check your connection and try again.').first(),
  ).toBeVisible();
  await page.unroute('**/api/**');
  await page.getByRole('button', { name: 'Try again' }).first().click();
  await expect(page.getByRole('link', { name: 'Polaris launch' })).toBeVisible();
  await page.context().close();
});

test('a page that starts while the server is away goes on by itself', async ({ browser }) => {
  const page = await signedInPage(browser, adminUrl(), ADMIN);
  await page.route('**/api/**', (route) => route.abort());
  await page.reload();
  await expect(page.getByRole('heading', { name: 'The server cannot be reached' })).toBeVisible();
  await page.unroute('**/api/**');
  await expect(page.getByRole('button', account)).toBeVisible();
  await page.context().close();
});

test('customers who only read are sent to their own front end', async ({ browser }) => {
  const page = await signedInPage(browser, adminUrl(), CUSTOMER);
  await expect(page.getByRole('heading', { name: 'This is the admin panel' })).toBeVisible();
  await expectAccessible(page);
  await page.context().close();
});
