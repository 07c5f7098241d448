// Waits until the demo data has come through the pipeline: trackers that were fetched, read and judged.
import { ADMIN, PASSWORD } from '../accounts';

const PATIENCE_MS = 240_000;
const PAUSE_MS = 1000;

export async function waitForData(): Promise<void> {
  const api = process.env.E2E_URL_ADMIN ?? '';
  const deadline = Date.now() + PATIENCE_MS;
  let last: unknown;
  while (Date.now() < deadline) {
    try {
      const login = await fetch(`${api}/api/v1/auth/login/json`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify({ email: ADMIN, password: PASSWORD }),
      });
      const { access_token } = (await login.json()) as { access_token: string };
      while (Date.now() < deadline) {
        const answer = await fetch(`${api}/api/v1/trackers?limit=1&count=true&status=DELIVERED`, {
          headers: { Authorization: `Bearer ${access_token}` },
        });
        const { total } = (await answer.json()) as { total?: number };
        if (total) return;
        await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
      }
    } catch (error) {
      last = error;
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  }
  throw new Error(`no tracker was delivered within ${PATIENCE_MS / 1000} s`, { cause: last });
}
