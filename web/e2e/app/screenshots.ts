// Pictures of every screen at three widths, light and dark, in screenshots/app: `npm run screenshots:app`.
import { expect, test } from '@playwright/test';
import { screens } from './screens';
import { signIn, world } from './world';

/** Maps draw slowly without a graphics card. */
const MAP_MS = 5000;

for (const width of [360, 768, 1440])
  for (const colorScheme of ['light', 'dark'] as const)
    test(`${width} px ${colorScheme}`, async ({ page }) => {
      test.setTimeout(300_000);
      await page.setViewportSize({ width, height: width < 500 ? 740 : 900 });
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
      await signIn(page, world.manager);
      for (const { path, name, shows } of screens()) {
        await page.goto(path);
        await expect(page.getByText(shows).first()).toBeVisible();
        if ((await page.locator('canvas').count()) > 0) await page.waitForTimeout(MAP_MS);
        await page.screenshot({ path: `screenshots/app/${name}-${width}-${colorScheme}.png` });
      }
    });
