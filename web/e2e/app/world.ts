// What tests/e2e/app_world.py has built, and signing in to it.
import { expect, type Page } from '@playwright/test';

interface World {
  password: string;
  manager: string;
  user: string;
  lonely: string;
  nord: { runs: number[] };
  trackers: Record<string, number>;
}

export const world = JSON.parse(process.env.E2E_APP_WORLD ?? '{}') as World;

export function trackerId(name: string): number {
  const id = world.trackers[name];
  if (id === undefined) throw new Error(`no tracker ${name}`);
  return id;
}

/** Opens `path` and signs in there; the address is kept. */
export async function signIn(page: Page, email: string, path = '/'): Promise<void> {
  await page.goto(path);
  await page.getByLabel('Email address').fill(email);
  await page.getByLabel('Password').fill(world.password);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await expect(page.getByRole('button', { name: 'Account' })).toBeVisible();
}
