// Places and areas on the map: drawn by hand, clicked, dragged, looked at before they are saved, changed by two people.
import type { Page } from '@playwright/test';
import { ADMIN } from '../accounts';
import { adminUrl, expect, signedInPage, test } from '../fixtures';
import { signedInApi } from './api';
import { choose, dialogOf, drawPolygon, penOf, save } from './dialog';

let page: Page;
const unique = Date.now().toString(36);

test.beforeAll(async ({ browser }) => {
  page = await signedInPage(browser, adminUrl(), ADMIN);
});
test.afterAll(() => page.context().close());

/** What the API answers to the next write of a place or an area. */
async function written<T>(method: string, act: () => Promise<void>): Promise<T> {
  const [answer] = await Promise.all([
    page.waitForResponse((response) => response.request().method() === method && response.ok()),
    act(),
  ]);
  return (await answer.json()) as T;
}

test('an exclusion area is drawn by hand, gets a second piece and is edited again', async () => {
  await page.goto(`${adminUrl()}/exclusion-areas`);
  await page.getByRole('button', { name: 'New exclusion area' }).click();
  await dialogOf(page).getByLabel('Name').fill(`Area ${unique}`);
  await drawPolygon(await penOf(page), [
    [0.2, 0.3],
    [0.4, 0.3],
    [0.4, 0.6],
  ]);
  await dialogOf(page).getByRole('button', { name: 'Add a piece' }).click();
  await drawPolygon(await penOf(page), [
    [0.6, 0.3],
    [0.8, 0.3],
    [0.8, 0.6],
    [0.6, 0.6],
  ]);
  await expect(
    dialogOf(page)
      .getByText(/inside now/)
      .first(),
  ).toBeVisible();
  interface Area {
    id: number;
    area: { type: string; coordinates: unknown[] };
  }
  const made = await written<Area>('POST', () => save(page));
  expect(made.area.type).toBe('MultiPolygon');
  expect(made.area.coordinates).toHaveLength(2);

  await expect(page.getByRole('heading', { name: `Area ${unique}` })).toBeVisible();
  await page.getByRole('button', { name: 'Edit', exact: true }).click();
  // Nothing was drawn: the pieces stay as they are.
  await dialogOf(page).getByLabel('Description').fill('Two pieces');
  const kept = await written<Area>('PATCH', () => save(page));
  expect(kept.area).toEqual(made.area);
});

test('a place is drawn as a polygon', { tag: '@short' }, async () => {
  await page.goto(`${adminUrl()}/storage-locations`);
  await page.getByRole('button', { name: 'New storage location' }).click();
  await dialogOf(page).getByLabel('Name').fill(`Yard ${unique}`);
  await choose(page, 'Client', 'Nordlicht Displays');
  await dialogOf(page).getByRole('searchbox').fill('Hannover');
  await dialogOf(page).getByRole('button', { name: 'Search' }).click();
  await dialogOf(page).getByLabel('Drawn as').selectOption('Polygon');
  await dialogOf(page).getByRole('list', { name: 'Results' }).getByRole('button').first().click();
  const pen = await penOf(page);
  // The map goes to what was found first.
  await page.waitForTimeout(1500);
  await drawPolygon(pen, [
    [0.3, 0.3],
    [0.7, 0.3],
    [0.7, 0.7],
    [0.3, 0.7],
  ]);
  await expect(dialogOf(page).getByRole('button', { name: 'Draw anew' })).toBeVisible();
  const { polygon } = await written<{ polygon: { coordinates: unknown[][] } }>('POST', () => save(page));
  expect(polygon.coordinates[0]).toHaveLength(5);
});

test('a place is set by a click and moved by dragging its pin; what would change is shown first', async () => {
  interface Place {
    center: { latitude: number; longitude: number };
  }
  await page.goto(`${adminUrl()}/delivery-locations`);
  await page.getByRole('button', { name: 'New delivery location' }).click();
  await dialogOf(page).getByLabel('Name').fill(`Shop ${unique}`);
  await choose(page, 'Client', 'Nordlicht Displays');
  const canvas = dialogOf(page).locator('.maplibregl-canvas');
  const pin = dialogOf(page).locator('.maplibregl-marker');
  await canvas.scrollIntoViewIfNeeded();
  await expect(async () => {
    await canvas.click({ position: { x: 300, y: 150 } });
    await expect(pin).toBeVisible({ timeout: 1000 });
  }).toPass();
  const made = await written<Place>('POST', () => save(page));

  await page.getByRole('button', { name: 'Edit', exact: true }).click();
  await pin.scrollIntoViewIfNeeded();
  await pin.hover();
  const box = await pin.boundingBox();
  if (!box) throw new Error('the pin cannot be seen');
  const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
  await page.mouse.down();
  await page.mouse.move(x + 40, y, { steps: 4 });
  await page.mouse.move(x + 80, y, { steps: 4 });
  await page.mouse.up();
  await dialogOf(page).getByRole('button', { name: 'Show what would change' }).click();
  await expect(dialogOf(page).getByText(/trackers? w(as|ere) looked at/)).toBeVisible();
  const moved = await written<Place>('PATCH', () => save(page));
  expect(moved.center.longitude).toBeGreaterThan(made.center.longitude);
  expect(moved.center.latitude).toBeCloseTo(made.center.latitude, 3);
});

test('a fence that would take trackers in says whom, and leaving the form asks first', async () => {
  await page.goto(`${adminUrl()}/delivery-locations?q=Store+Berlin`);
  await page.getByRole('link', { name: 'Store Berlin Mitte' }).click();
  await expect(page.getByText(/inside now/).first()).toBeVisible();
  await page.getByRole('button', { name: 'Edit', exact: true }).click();
  await dialogOf(page).getByLabel('Radius (m)').fill('50');
  await dialogOf(page).getByRole('button', { name: 'Show what would change' }).click();
  await expect(dialogOf(page).getByText(/trackers? w(as|ere) looked at/)).toBeVisible();
  await dialogOf(page).getByRole('button', { name: 'Cancel' }).click();
  await page.getByRole('alertdialog').getByRole('button', { name: 'Leave' }).click();
  await expect(dialogOf(page)).toHaveCount(0);
});

test('who edits what somebody else has changed is told, and begins again with theirs', async ({ request }) => {
  const api = await signedInApi(request);
  const list = await api.call<{ items: { id: number }[] }>('GET', '/delivery-locations?q=Showroom+Madrid');
  const id = list.items[0]?.id;
  await page.goto(`${adminUrl()}/delivery-locations/${id}`);
  await page.getByRole('button', { name: 'Edit', exact: true }).click();
  await dialogOf(page).getByLabel('Description').fill('Mine');
  await api.call('PATCH', `/delivery-locations/${id}`, { description: `Theirs ${unique}` });
  await save(page);
  await expect(dialogOf(page).getByRole('alert')).toContainText('Somebody else changed this');
  await dialogOf(page).getByRole('button', { name: 'Reload' }).click();
  await expect(dialogOf(page).getByLabel('Description')).toHaveValue(`Theirs ${unique}`);
  await dialogOf(page).getByLabel('Description').fill('Both');
  await save(page);
  await expect(page.getByRole('definition').filter({ hasText: 'Both' })).toBeVisible();
});
