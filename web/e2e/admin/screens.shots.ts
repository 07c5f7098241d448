// Pictures of the admin panel's screens, in three widths and both colours, into web/screenshots: to be looked at.
import { ADMIN } from '../accounts';
import { adminUrl, expect, signedInPage, test } from '../fixtures';

const screens: Record<string, string> = {
  dashboard: '/',
  trackers: '/trackers',
  tracker: '/trackers/1',
  runs: '/production-runs',
  'run-places': '/production-runs/1?tab=places',
  place: '/delivery-locations/3',
  users: '/users',
  'apple-account': '/apple-accounts/1',
  tasks: '/tasks',
  audit: '/audit-log',
  profile: '/profile',
};
const widths = [360, 768, 1440];
/** Maps are drawn in software here. */
const DRAWN_MS = 4000;

test('screens', async ({ browser }) => {
  test.setTimeout(1_800_000);
  const page = await signedInPage(browser, adminUrl(), ADMIN);
  for (const [name, path] of Object.entries(screens)) {
    await page.goto(adminUrl() + path);
    await expect(page.getByRole('heading', { level: 1 })).toBeVisible();
    await page.waitForTimeout(DRAWN_MS);
    for (const width of widths) {
      await page.setViewportSize({ width, height: 900 });
      for (const colorScheme of ['light', 'dark'] as const) {
        await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
        await page.waitForTimeout(DRAWN_MS / 4);
        await page.screenshot({ path: `screenshots/admin-${name}-${width}-${colorScheme}.png` });
      }
    }
  }
  await page.context().close();
});
