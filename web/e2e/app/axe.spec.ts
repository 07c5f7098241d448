// No screen has an accessibility fault that axe can find, in light and dark.
import AxeBuilder from '@axe-core/playwright';
import { expect, test, type Page } from '@playwright/test';
import { screens } from './screens';
import { signIn, world } from './world';

/** What axe says of the page that is shown, in both colour schemes. */
async function faultsOf(page: Page, where: string): Promise<string[]> {
  const faults: string[] = [];
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    await expect(page.locator('html')).toHaveClass(colorScheme === 'dark' ? 'dark' : '');
    const { violations } = await new AxeBuilder({ page }).analyze();
    faults.push(
      ...violations.map(({ id, nodes }) => `${where}, ${colorScheme}: ${id}: ${nodes[0]?.html.slice(0, 200)}`),
    );
  }
  return faults;
}

test('axe finds nothing on any screen', async ({ page }) => {
  // A machine that draws maps without a graphics card takes its time.
  test.setTimeout(300_000);
  await page.setViewportSize({ width: 800, height: 600 });
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
