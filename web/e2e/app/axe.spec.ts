// No screen has an accessibility fault that axe can find, in light and dark.
import AxeBuilder from '@axe-core/playwright';
import { expect, test, type Page } from '@playwright/test';
import { screens } from './screens';
import { signIn, world } from './world';

for (const colorScheme of ['light', 'dark'] as const) {
  test(`axe finds nothing in ${colorScheme}`, async ({ page }) => {
    // A machine that draws maps without a graphics card takes its time.
    test.setTimeout(300_000);
    await page.setViewportSize({ width: 800, height: 600 });
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    await page.goto('/');
    await expect(page.getByRole('button', { name: 'Sign in' })).toBeVisible();
    const faults = await faultsOf(page, 'sign-in');
    await signIn(page, world.manager);
    for (const { path, shows } of screens()) {
      await page.goto(path);
      await expect(page.getByText(shows).first()).toBeVisible();
      faults.push(...(await faultsOf(page, path)));
    }
    expect(faults).toEqual([]);
  });
}

async function faultsOf(page: Page, where: string): Promise<string[]> {
  const { violations } = await new AxeBuilder({ page }).analyze();
  return violations.map(({ id, nodes }) => `${where}: ${id}: ${nodes[0]?.html.slice(0, 200)}`);
}
