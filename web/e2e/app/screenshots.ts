// Pictures of every screen at three widths, light and dark, in screenshots/app: `npm run screenshots:app`.
import { expect, test } from '@playwright/test';
import { drawn } from '../drawn';
import { screens } from './screens';
import { signIn, world } from './world';

for (const width of [360, 768, 1440])
  for (const colorScheme of ['light', 'dark'] as const)
    test(`${width} px ${colorScheme}`, async ({ page }) => {
      test.setTimeout(600_000);
      await page.setViewportSize({ width, height: width < 500 ? 740 : 900 });
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
      await signIn(page, world.manager);
      for (const { path, name, shows } of screens()) {
        await page.goto(path);
        await expect(page.getByText(shows).first()).toBeVisible();
        await drawn(page);
        await page.screenshot({ path: `screenshots/app/${name}-${width}-${colorScheme}.png`, fullPage: true });
      }
    });
