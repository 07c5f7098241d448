// What the browser tests share: signing in, a page that stays signed in for a whole file, and accessibility checks.
import AxeBuilder from '@axe-core/playwright';
import { expect, test as base, type Browser, type Page } from '@playwright/test';
import { PASSWORD } from './accounts';

export { expect };

export const adminUrl = () => process.env.E2E_URL_ADMIN ?? '';
export const appUrl = () => process.env.E2E_URL_APP ?? '';
export const simUrl = () => process.env.E2E_URL_SIM ?? '';

export async function signIn(page: Page, url: string, email: string, password = PASSWORD): Promise<void> {
  await page.goto(url);
  await page.getByLabel('Email address').fill(email);
  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: 'Sign in', exact: true }).click();
}

export async function signedInPage(browser: Browser, url: string, email: string): Promise<Page> {
  const context = await browser.newContext();
  const page = await context.newPage();
  await signIn(page, url, email);
  await expect(page.getByRole('button', { name: 'Account' })).toBeVisible();
  return page;
}

/** Nothing that axe finds wrong by WCAG 2.2 AA, in light and in dark colours. */
export async function expectAccessible(page: Page): Promise<void> {
  for (const scheme of ['light', 'dark'] as const) {
    // Colours are measured when they have changed, not while they fade.
    await page.emulateMedia({ colorScheme: scheme, reducedMotion: 'reduce' });
    await expect(page.locator('html')).toHaveClass(scheme === 'dark' ? /dark/ : /^$/);
    const { violations } = await new AxeBuilder({ page })
      .withTags(['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'])
      .analyze();
    const found = violations.map(({ id, nodes }) => `${scheme}: ${id}: ${nodes.map((node) => node.html).join('\n')}`);
    expect(found, page.url()).toEqual([]);
  }
  await page.emulateMedia({ colorScheme: 'light' });
}

/** Fails a test whose page throws or breaks the content security policy. */
export const test = base.extend<{ quiet: undefined }>({
  quiet: [
    async ({ browser }, use) => {
      const heard: string[] = [];
      const listen = (page: Page) => {
        page.on('pageerror', (error) => heard.push(error.message));
        page.on('console', (message) => {
          if (message.text().includes('Content Security Policy')) heard.push(message.text());
        });
      };
      for (const context of browser.contexts()) {
        context.pages().forEach(listen);
        context.on('page', listen);
      }
      await use(undefined);
      expect(heard).toEqual([]);
    },
    { auto: true },
  ],
});
