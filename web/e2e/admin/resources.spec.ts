// Working with the admin panel's lists and forms on the demo data.
import type { Page, Route } from '@playwright/test';
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { ADMIN } from '../accounts';
import { adminUrl, expect, signedInPage, test } from '../fixtures';
import { choose as chooseIn, dialogOf, save as saveIn } from './dialog';

let page: Page;
const unique = Date.now().toString(36);

test.beforeAll(async ({ browser }) => {
  page = await signedInPage(browser, adminUrl(), ADMIN);
});
test.afterAll(() => page.context().close());

const dialog = () => dialogOf(page);
const choose = (label: string, name: string) => chooseIn(page, label, name);
const save = () => saveIn(page);

test('a client is made, refused, changed, archived and deleted', { tag: '@short' }, async () => {
  await page.goto(`${adminUrl()}/clients`);
  await page.getByRole('button', { name: 'New client' }).click();
  await save();
  await expect(dialog().getByText('Please fill this in.')).toBeVisible();
  await dialog().getByLabel('Name').fill('Nordlicht Displays');
  await save();
  // The server's complaint stands at its field.
  await expect(dialog().getByLabel('Name')).toHaveAttribute('aria-invalid', 'true');
  await dialog().getByLabel('Name').fill(`Client ${unique}`);
  await save();
  await expect(page.getByRole('heading', { name: `Client ${unique}` })).toBeVisible();

  await page.getByRole('button', { name: 'Edit', exact: true }).click();
  await dialog().getByLabel('Description').fill('Changed by a test');
  await save();
  await expect(page.getByRole('definition').filter({ hasText: 'Changed by a test' })).toBeVisible();
  await page.getByRole('tab', { name: 'Changes' }).click();
  await expect(page.getByText('Demo Admin').first()).toBeVisible();

  await page.getByRole('button', { name: 'More' }).click();
  await page.getByRole('menuitem', { name: 'Archive' }).click();
  await page.getByRole('alertdialog').getByRole('button', { name: 'Archive' }).click();
  await expect(page.getByText('Archived', { exact: true }).first()).toBeVisible();
  await page.getByRole('button', { name: 'More' }).click();
  await page.getByRole('menuitem', { name: 'Delete' }).click();
  await page.getByRole('alertdialog').getByRole('button', { name: 'Delete' }).click();
  await expect(page).toHaveURL(`${adminUrl()}/clients`);
});

test('deleting what is in use names what depends on it', async () => {
  await page.goto(`${adminUrl()}/clients?q=Maison`);
  await page.getByRole('link', { name: 'Maison Verte' }).click();
  await page.getByRole('button', { name: 'More' }).click();
  await page.getByRole('menuitem', { name: 'Delete' }).click();
  await page.getByRole('alertdialog').getByRole('button', { name: 'Delete' }).click();
  await expect(page.getByRole('alertdialog')).toContainText('brands');
  await page.getByRole('alertdialog').getByRole('button', { name: 'Cancel' }).click();
});

test('a list is searched, filtered, sorted, and its state stands in the address', { tag: '@short' }, async () => {
  await page.goto(`${adminUrl()}/trackers`);
  await page.getByRole('searchbox', { name: 'Search' }).fill('Polaris');
  await expect(page).toHaveURL(/q=Polaris/);
  await expect(page.getByRole('link', { name: /^Polaris launch \d/ }).first()).toBeVisible();
  await expect(page.getByRole('link', { name: /^Aurora/ })).toHaveCount(0);
  await page.getByRole('button', { name: 'Add filter' }).click();
  await page.getByRole('menuitem', { name: 'Status' }).click();
  await page.getByRole('combobox', { name: 'Status' }).selectOption('Delivered');
  await expect(page).toHaveURL(/status=DELIVERED/);
  await page.getByRole('button', { name: 'Name' }).click();
  await expect(page).toHaveURL(/sort=name/);
  await page.reload();
  await expect(page.getByRole('combobox', { name: 'Status' })).toHaveValue('DELIVERED');
  await expect(page.getByRole('columnheader', { name: 'Name' })).toHaveAttribute('aria-sort', 'ascending');
});

test('rows are selected by keyboard, edited together and exported', async () => {
  await page.goto(`${adminUrl()}/trackers?q=Atlas`);
  const first = page.getByRole('link', { name: /^Atlas demo pallets 001/ });
  await first.focus();
  await page.keyboard.press('Space');
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Space');
  await expect(page.getByText('2 selected')).toBeVisible();
  await page.getByRole('button', { name: 'Edit', exact: true }).click();
  await choose('Production run', 'Atlas demo pallets');
  await dialog().getByRole('button', { name: 'Apply' }).click();
  await expect(page.getByText('2 rows done', { exact: true })).toBeVisible();
  const [file] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('button', { name: 'Export CSV' }).click(),
  ]);
  const text = await readFile(await file.path(), 'utf8');
  expect(text).toContain('id,name,status');
  expect(text.trim().split('\r\n').length).toBe(41);
});

test('a page of a wrong or foreign row says so', async () => {
  for (const path of ['/clients/999999999', '/nothing', '/clients/abc']) {
    await page.goto(adminUrl() + path);
    await expect(page.getByText('This page does not exist, or it belongs to somebody else.')).toBeVisible();
  }
});

test('the command palette finds pages and rows', async () => {
  await page.goto(adminUrl());
  await expect(page.getByRole('heading', { name: 'Dashboard' })).toBeVisible();
  await page.keyboard.press('Control+k');
  await page.getByPlaceholder('Search or type a command…').fill('Store Vienna');
  await page.getByRole('option', { name: 'Store Vienna' }).click();
  await expect(page.getByRole('heading', { name: 'Store Vienna' })).toBeVisible();
});

test('keys are generated and the file for the manufacturer has no private ones', async () => {
  await page.goto(`${adminUrl()}/trackers`);
  await page.getByRole('button', { name: 'Generate keys' }).click();
  await choose('Client', 'Atlas Demo Pool');
  await dialog().getByLabel('Name').fill(`Made ${unique}`);
  await dialog().getByLabel('How many').fill('3');
  await dialog().getByRole('button', { name: 'Generate', exact: true }).click();
  await expect(page.getByRole('heading', { name: '3 trackers made' })).toBeVisible();
  const [file] = await Promise.all([
    page.waitForEvent('download'),
    dialog().getByRole('button', { name: 'Download public keys' }).click(),
  ]);
  const text = await readFile(await file.path(), 'utf8');
  expect(text.split('\r\n')[0]).toBe('\ufeffname,mac_address,advertisement_key,hashed_advertisement_key');
  expect(text).not.toMatch(/private/i);
});

test('an import shows the errors of its rows before anything is kept', { tag: '@short' }, async () => {
  await page.goto(`${adminUrl()}/trackers`);
  await page.getByRole('button', { name: 'Import' }).click();
  await choose('Client', 'Atlas Demo Pool');
  const content = Buffer.from('name,private_key\nBroken,not-a-key\n');
  await dialog()
    .locator('input[type=file]')
    .setInputFiles({ name: 'wrong.csv', mimeType: 'text/csv', buffer: content });
  // On a slow line the dialog says what it waits for.
  const slow = async (route: Route) => {
    await page.waitForTimeout(2000);
    await route.continue();
  };
  await page.route('**/trackers/import?*', slow, { times: 1 });
  await dialog().getByRole('button', { name: 'Check the file' }).click();
  await expect(dialog().getByRole('progressbar')).toBeVisible();
  await expect(dialog().getByRole('region', { name: 'Errors' })).toBeVisible();
  await expect(dialog().getByRole('region', { name: 'Errors' }).getByRole('row').nth(1)).toContainText('private_key');
  await expect(dialog().getByRole('button', { name: /^Import (one|\d)/ })).toHaveCount(0);

  // The corrected file goes through; any 28 bytes below the curve's order are a key.
  const key = Buffer.concat([Buffer.from([1]), randomBytes(27)]).toString('base64');
  const good = Buffer.from(`name,private_key\nImported ${unique},${key}\n`);
  await dialog().locator('input[type=file]').setInputFiles({ name: 'right.csv', mimeType: 'text/csv', buffer: good });
  await dialog().getByRole('button', { name: 'Check the file' }).click();
  await dialog().getByRole('button', { name: 'Import one tracker' }).click();
  await expect(page.getByText('One tracker imported', { exact: true })).toBeVisible();
  await expect(dialog()).toHaveCount(0);
});

test('a place is found by its address, made and moved; what would change is shown first', async () => {
  await page.goto(`${adminUrl()}/storage-locations`);
  await page.getByRole('button', { name: 'New storage location' }).click();
  await dialog().getByLabel('Name').fill(`Depot ${unique}`);
  await choose('Client', 'Nordlicht Displays');
  await dialog().getByRole('searchbox').fill('Hannover');
  await dialog().getByRole('button', { name: 'Search' }).click();
  await dialog().getByRole('list', { name: 'Results' }).getByRole('button').first().click();
  await dialog().getByLabel('Radius (m)').fill('330');
  await dialog().getByLabel('Radius (m)').blur();
  await expect(dialog().getByLabel('Radius (m)')).toHaveValue('350');
  await save();
  await expect(page.getByRole('heading', { name: `Depot ${unique}` })).toBeVisible();
  await page.getByRole('button', { name: 'Edit', exact: true }).click();
  await dialog().getByLabel('Radius (m)').fill('500');
  await dialog().getByRole('button', { name: 'Show what would change' }).click();
  await expect(dialog().getByText('nothing would change')).toBeVisible();
  await save();
  await expect(page.getByRole('definition').filter({ hasText: /^500$/ })).toBeVisible();
});

test('a new API key is shown once and can be revoked', async () => {
  await page.goto(`${adminUrl()}/api-keys`);
  await page.getByRole('button', { name: 'New API key' }).click();
  await dialog().getByLabel('Name').fill(`Key ${unique}`);
  await save();
  await expect(page.getByRole('heading', { name: 'The new API key' })).toBeVisible();
  await expect(dialog().getByRole('textbox')).not.toHaveValue('');
  await dialog().getByRole('button', { name: 'Close' }).last().click();
  await page.getByRole('button', { name: 'Revoke' }).click();
  await page.getByRole('alertdialog').getByRole('button', { name: 'Revoke' }).click();
  await expect(page.getByText(`Key ${unique} revoked`, { exact: true })).toBeVisible();
});

test('a tracker shows its track, what happened and why', { tag: '@short' }, async () => {
  await page.goto(`${adminUrl()}/trackers?status=DELIVERED`);
  await page
    .getByRole('link', { name: /\d{3}$/ })
    .first()
    .click();
  await expect(page.getByRole('region', { name: 'What happened' })).toContainText(
    'A position showed it inside the delivery location',
  );
  await expect(page.getByRole('region', { name: 'Reports as received' }).getByRole('row').nth(1)).toBeVisible();
});

test('images are added to a run, looked at and removed', async () => {
  await page.goto(`${adminUrl()}/production-runs/1?tab=images`);
  await expect(page.getByText('No images yet')).toBeVisible();
  const png = await page.screenshot({ clip: { x: 0, y: 0, width: 64, height: 64 } });
  await page.locator('input[type=file]').setInputFiles({ name: 'run.png', mimeType: 'image/png', buffer: png });
  await expect(page.getByRole('img', { name: /Image 1 of 1/ })).toBeVisible();
  await page.getByRole('button', { name: /^Delete:/ }).click();
  await page.getByRole('alertdialog').getByRole('button', { name: 'Delete' }).click();
  await expect(page.getByText('No images yet')).toBeVisible();
});

test('a schedule says when it runs next, and runs now', async () => {
  await page.goto(`${adminUrl()}/task-schedules`);
  await page.getByRole('link', { name: 'Clean-up' }).click();
  await page.getByRole('button', { name: 'Run now' }).click();
  await expect(page.getByRole('status').filter({ hasText: 'Done' })).toBeVisible({ timeout: 60_000 });
});
