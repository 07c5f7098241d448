// What tests/e2e/app_world.py has built, and signing in to it.
import { expect, type Page } from '@playwright/test';

interface World {
  /** Where reports are taken in while the tests run. */
  reports: string;
  admin: string;
  password: string;
  manager: string;
  user: string;
  lonely: string;
  nord: { runs: number[] };
  trackers: Record<string, number>;
  /** Tokens of share links. */
  shared: { tracker: string; run: string };
}

export const world = JSON.parse(process.env.E2E_APP_WORLD ?? '{}') as World;

export function trackerId(name: string): number {
  const id = world.trackers[name];
  if (id === undefined) throw new Error(`no tracker ${name}`);
  return id;
}

/** Lets a tracker be seen somewhere now, by the way that real reports take. */
export async function seenAt(tracker: string, [latitude, longitude]: readonly [number, number]): Promise<void> {
  const report = { tracker, latitude, longitude, horizontal_accuracy: 20, confidence: 2, status: 0 };
  const timestamp = new Date().toISOString().replace(/\.\d+Z$/, 'Z');
  const answer = await fetch(world.reports, { method: 'POST', body: `${JSON.stringify({ ...report, timestamp })}\n` });
  expect(answer.status).toBe(204);
}

/** Ends all sessions of somebody, as from another device. */
export async function signOutElsewhere(page: Page, email: string): Promise<void> {
  const login = await page.request.post('/api/v1/auth/login/json', { data: { email, password: world.password } });
  const { access_token } = (await login.json()) as { access_token: string };
  await page.request.post('/api/v1/auth/logout-all', { headers: { Authorization: `Bearer ${access_token}` } });
}

/** Opens `path` and signs in there; the address is kept. */
export async function signIn(page: Page, email: string, path = '/'): Promise<void> {
  await page.goto(path);
  await page.getByLabel('Email address').fill(email);
  await page.getByLabel('Password').fill(world.password);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await expect(page.getByRole('button', { name: 'Account' })).toBeVisible();
}
