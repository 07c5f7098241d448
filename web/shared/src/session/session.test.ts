// The session: one renewal at a time, in one tab and across tabs; what ends it and what does not.
import { describe, expect, it } from 'vitest';
import { ApiError, NetworkError } from '../api/problem';
import { Session, type SessionPlatform } from './session';

const USER = { id: 7, email: 'a@example.com', name: 'A', role: 'admin' };
const LIFETIME_S = 900;

/** A server with one session, whose refresh cookie may be sent by one caller at a time; tabs share clock, lock and channel. */
class World {
  now = 1_000_000;
  signedIn = true;
  reachable = true;
  refreshes = 0;
  refreshing = 0;
  overlapped = false;
  readonly asked: string[] = [];
  private lock: Promise<unknown> = Promise.resolve();
  private readonly ears: { tab: number; hear: (event: MessageEvent) => void }[] = [];
  private tabs = 0;

  tab(): Session {
    const tab = this.tabs++;
    const platform: SessionPlatform = {
      now: () => this.now,
      fetch: (path, init) => this.answer(path as string, init),
      locks: {
        request: ((_name: string, run: () => Promise<unknown>) =>
          (this.lock = this.lock.then(run, run))) as LockManager['request'],
      },
      channel: {
        postMessage: (data: unknown) => {
          for (const ear of this.ears) if (ear.tab !== tab) ear.hear({ data } as MessageEvent);
        },
        addEventListener: ((_type: string, hear: (event: MessageEvent) => void) =>
          this.ears.push({ tab, hear })) as BroadcastChannel['addEventListener'],
      },
    };
    const session = new Session(platform);
    session.application = 'admin';
    return session;
  }

  private async answer(address: string, init?: RequestInit): Promise<Response> {
    if (!this.reachable) throw new TypeError('Failed to fetch');
    this.asked.push(address);
    const path = address.split('?')[0] ?? '';
    if (path.endsWith('/refresh-cookie')) return this.refresh();
    if (path.endsWith('/users/me')) return Response.json(USER);
    if (path.endsWith('/login/json')) {
      const { password } = JSON.parse(init?.body as string) as { password: string };
      if (password !== 'right') return Response.json({ status: 401, code: 'invalid_credentials' }, { status: 401 });
      this.signedIn = true;
      return Response.json({ access_token: 'login', expires_in: LIFETIME_S, user: USER });
    }
    this.signedIn = false;
    return new Response(null, { status: 204 });
  }

  private async refresh(): Promise<Response> {
    if (this.refreshing++ > 0) this.overlapped = true;
    await new Promise((resolve) => setTimeout(resolve, 1));
    this.refreshing--;
    if (!this.signedIn) return Response.json({ status: 401, code: 'no_session' }, { status: 401 });
    return Response.json({ access_token: `t${++this.refreshes}`, expires_in: LIFETIME_S });
  }
}

describe('application', () => {
  it('is named wherever a cookie is set, used or cleared', async () => {
    const world = new World();
    const tab = world.tab();
    await tab.start();
    await tab.signIn('a@example.com', 'right');
    await tab.signOut();
    await tab.signIn('a@example.com', 'right');
    await tab.signOut(true);
    const calls = world.asked.filter((address) => address.includes('/auth/'));
    expect(calls).toHaveLength(5);
    for (const address of calls) expect(address).toMatch(/\?application=admin$/);
  });
});

describe('start', () => {
  it('takes up the session of the cookie', async () => {
    const tab = new World().tab();
    await tab.start();
    expect(tab.snapshot()).toEqual({ status: 'signed-in', user: USER });
  });

  it('shows the sign-in page when there is none, without calling it expired', async () => {
    const world = new World();
    world.signedIn = false;
    const tab = world.tab();
    await tab.start();
    expect(tab.snapshot()).toEqual({ status: 'signed-out', expired: false });
  });

  it('waits when the server is away, and goes on when it is back', async () => {
    const world = new World();
    world.reachable = false;
    const tab = world.tab();
    await tab.start();
    expect(tab.snapshot().status).toBe('unreachable');
    world.reachable = true;
    await tab.start();
    expect(tab.snapshot().status).toBe('signed-in');
  });
});

describe('renewal', () => {
  it('is made once for many calls', async () => {
    const world = new World();
    const tab = world.tab();
    const tokens = await Promise.all([tab.accessToken(), tab.accessToken(), tab.accessToken()]);
    expect(tokens).toEqual(['t1', 't1', 't1']);
    expect(world.refreshes).toBe(1);
  });

  it('is made by one of many tabs when the token has ended, and the others take its token', async () => {
    const world = new World();
    const tabs = [world.tab(), world.tab(), world.tab()];
    for (const tab of tabs) await tab.start();
    const before = world.refreshes;
    world.now += LIFETIME_S * 1000;
    const tokens = await Promise.all(tabs.map((tab) => tab.accessToken()));
    expect(new Set(tokens).size).toBe(1);
    expect(world.refreshes).toBe(before + 1);
    expect(world.overlapped).toBe(false);
  });

  it('happens after a sleep that outlived the token', async () => {
    const world = new World();
    const tab = world.tab();
    await tab.start();
    world.now += 8 * 3600 * 1000;
    expect(await tab.accessToken()).toBe('t2');
  });

  it('replaces a token that the server refused, once', async () => {
    const world = new World();
    const tab = world.tab();
    await tab.start();
    expect(await tab.replaceToken('t1')).toBe('t2');
    expect(await tab.replaceToken('t1')).toBe('t2');
  });

  it('does not end the session when the server cannot be reached', async () => {
    const world = new World();
    const tab = world.tab();
    await tab.start();
    world.now += LIFETIME_S * 1000;
    world.reachable = false;
    await expect(tab.accessToken()).rejects.toBeInstanceOf(NetworkError);
    expect(tab.snapshot().status).toBe('signed-in');
  });

  it('ends it, as expired, when the server says so', async () => {
    const world = new World();
    const tab = world.tab();
    await tab.start();
    world.now += LIFETIME_S * 1000;
    world.signedIn = false;
    expect(await tab.accessToken()).toBeUndefined();
    expect(tab.snapshot()).toEqual({ status: 'signed-out', expired: true });
  });
});

describe('signing in and out', () => {
  it('tells what is wrong', async () => {
    const tab = new World().tab();
    await expect(tab.signIn('a@example.com', 'wrong')).rejects.toBeInstanceOf(ApiError);
  });

  it('reaches all tabs', async () => {
    const world = new World();
    world.signedIn = false;
    const [one, two] = [world.tab(), world.tab()];
    await Promise.all([one.start(), two.start()]);
    await one.signIn('a@example.com', 'right');
    await expect.poll(() => two.snapshot().status).toBe('signed-in');
    await two.signOut();
    expect(one.snapshot()).toEqual({ status: 'signed-out', expired: false });
    expect(two.snapshot()).toEqual({ status: 'signed-out', expired: false });
  });

  it('keeps the session when signing out does not reach the server', async () => {
    const world = new World();
    const tab = world.tab();
    await tab.start();
    world.reachable = false;
    await expect(tab.signOut()).rejects.toBeInstanceOf(NetworkError);
    expect(tab.snapshot().status).toBe('signed-in');
  });
});
