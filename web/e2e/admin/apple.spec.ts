// An Apple account of the simulator that asks for a second factor, from its first sign-in to ready.
import { ADMIN } from '../accounts';
import { adminUrl, expect, signedInPage, simUrl, test } from '../fixtures';
import { dialogOf, save } from './dialog';

test('an Apple account signs in with a code from a trusted device', async ({ browser, request }) => {
  test.skip(simUrl() === '', 'E2E_URL_SIM names no simulator');
  const username = `factor-${Date.now()}@example.com`;
  const password = 'second-factor';
  const control = `${simUrl()}/control/accounts`;
  const made = await request.post(control, { data: { username, password, second_factor: 'trusted_device' } });
  expect(made.ok(), await made.text()).toBe(true);

  const page = await signedInPage(browser, adminUrl(), ADMIN);
  await page.goto(`${adminUrl()}/apple-accounts`);
  await page.getByRole('button', { name: 'New Apple account' }).click();
  await dialogOf(page).getByLabel('Name').fill(username);
  await dialogOf(page).getByLabel('Apple ID').fill(username);
  await dialogOf(page).getByLabel('Password').fill(password);
  await save(page);
  await page.getByRole('button', { name: 'Sign in', exact: true }).click();
  await expect(page.getByText('Apple asks for a code.')).toBeVisible({ timeout: 60_000 });

  await page.getByRole('button', { name: 'To a trusted device' }).click();
  let code = '';
  await expect(async () => {
    const answer = await request.get(`${control}/${username}/code`);
    ({ code } = (await answer.json()) as { code: string });
    expect(code).toMatch(/^\d{6}$/);
  }).toPass({ timeout: 60_000 });
  await page.getByLabel('Code', { exact: true }).fill('12');
  await page.getByRole('button', { name: 'Send the code' }).click();
  await expect(page.getByLabel('Code', { exact: true })).toHaveAttribute('aria-invalid', 'true');
  await page.getByLabel('Code', { exact: true }).fill(code);
  await page.getByRole('button', { name: 'Send the code' }).click();
  await expect(page.getByText('Ready', { exact: true }).first()).toBeVisible({ timeout: 60_000 });

  // The other tests' trackers are fetched by the demo's own account.
  await page.getByRole('button', { name: 'Switch off' }).click();
  await expect(page.getByText('Disabled', { exact: true }).first()).toBeVisible();
  await page.context().close();
});
