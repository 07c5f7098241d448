// No screen has an accessibility fault that axe can find, in light and dark.
import AxeBuilder from '@axe-core/playwright';
import { expect, test } from '@playwright/test';
import { screens } from './screens';
import { signIn, world } from './world';

for (const colorScheme of ['light', 'dark'] as const) {
  test(`axe finds nothing in ${colorScheme}`, async ({ page }) => {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    await page.goto('/');
    await expect(page.getByRole('button', { name: 'Sign in' })).toBeVisible();
    const faults: string[] = [];
    const look = async (where: string) => {
      const { violations } = await new AxeBuilder({ page }).analyze();
      faults.push(...violations.map(({ id, nodes }) => `${where}: ${id}: ${nodes[0]?.html.slice(0, 200)}`));
    };
    await look('sign-in');
    await signIn(page, world.manager);
    for (const { path, shows } of screens()) {
      await page.goto(path);
      await expect(page.getByText(shows).first()).toBeVisible();
      await look(path);
    }
    expect(faults).toEqual([]);
  });
}
