// Waits until nothing of a page is loading and its maps have drawn everything, which takes long without a graphics card.
import { expect, type Page } from '@playwright/test';

/** A map that has just drawn its base may be about to get its layers. */
const STILL_MS = 2000;

export async function drawn(page: Page): Promise<void> {
  let since = 0;
  await expect
    .poll(
      async () => {
        const pending = await page.locator('[data-pending]').count();
        since = pending > 0 ? 0 : since || Date.now();
        return since > 0 && Date.now() - since >= STILL_MS;
      },
      { timeout: 120_000, intervals: [250] },
    )
    .toBe(true);
}
