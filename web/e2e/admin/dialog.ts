// Working with the dialogs of the admin panel.
import type { Locator, Page } from '@playwright/test';
import { expect } from '../fixtures';

export const dialogOf = (page: Page): Locator => page.getByRole('dialog');

export const save = (page: Page): Promise<void> => dialogOf(page).getByRole('button', { name: 'Save' }).click();

/** Chooses a row in a picker of the open dialog. */
export async function choose(page: Page, label: string, name: string): Promise<void> {
  await dialogOf(page)
    .getByRole('button', { name: new RegExp(`^${label}:`) })
    .click();
  await page.getByPlaceholder('Type to search…').fill(name);
  await page.getByRole('option', { name }).first().click();
}

/** The map of the open dialog, ready to be drawn on once its pointer is a pen. */
export async function penOf(page: Page): Promise<Locator> {
  const canvas = dialogOf(page).locator('.maplibregl-canvas');
  await canvas.scrollIntoViewIfNeeded();
  await expect(canvas).toHaveCSS('cursor', 'crosshair');
  return canvas;
}

/** Clicks corner after corner, in parts of the map's width and height, and the first one again. */
export async function drawPolygon(canvas: Locator, corners: [number, number][]): Promise<void> {
  const box = await canvas.boundingBox();
  if (!box) throw new Error('the map cannot be seen');
  const [first = [0.5, 0.5]] = corners;
  for (const [x, y] of [...corners, first]) {
    const position = { x: box.width * x, y: box.height * y };
    await canvas.hover({ position, force: true });
    await canvas.click({ position, force: true });
  }
}
