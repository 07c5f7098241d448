// Opens a screen of the admin panel and waits until its data is there.
import type { Page } from '@playwright/test';
import { adminUrl, expect } from '../fixtures';
import type { Screen } from './screens';

export async function show(page: Page, { path, open }: Screen): Promise<void> {
  await page.goto(adminUrl() + path);
  await expect(page.getByRole('heading', { level: 1 })).toBeVisible();
  await expect(page.getByText('Loading…')).toHaveCount(0);
  if (!open) return;
  await page.getByRole('button', { name: open, exact: true }).click();
  await expect(page.getByRole('dialog')).toBeVisible();
  await expect(page.getByText('Loading…')).toHaveCount(0);
}
