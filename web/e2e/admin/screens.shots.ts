// Pictures of the admin panel's screens, in three widths and both colours, into web/screenshots/admin: to be looked at.
import { ADMIN } from '../accounts';
import { adminUrl, signedInPage, test } from '../fixtures';
import { screens } from './screens';
import { show } from './show';

const widths = [360, 768, 1440];
/** Maps are drawn in software here. */
const DRAWN_MS = 2500;
const SETTLED_MS = 300;

test('screens', async ({ browser }) => {
  test.setTimeout(3_600_000);
  const page = await signedInPage(browser, adminUrl(), ADMIN);
  for (const [name, screen] of Object.entries(screens)) {
    await show(page, screen);
    const map = (await page.locator('canvas').count()) > 0;
    for (const width of widths) {
      await page.setViewportSize({ width, height: 900 });
      for (const colorScheme of ['light', 'dark'] as const) {
        await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
        await page.waitForTimeout(map ? DRAWN_MS : SETTLED_MS);
        await page.screenshot({ path: `screenshots/admin/${name}-${width}-${colorScheme}.png` });
      }
    }
  }
  await page.context().close();
});
