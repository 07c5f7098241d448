// The session of this browser: access token in memory only, renewed by the HttpOnly refresh cookie, shared by all tabs.
//
// One tab renews at a time (Web Locks) and tells the others the new token (BroadcastChannel), so that a rotated refresh
// token is never sent twice. A server that cannot be reached does not end the session; only its own 401 does.
import { ApiError, NetworkError, problemOf } from '../api/problem';
import type { User } from '../api/schema';

export type SessionState =
  | { status: 'starting' }
  | { status: 'unreachable' }
  | { status: 'signed-out'; expired: boolean }
  | { status: 'signed-in'; user: User };

type Message =
  | { type: 'token'; token: string; expiresAt: number }
  | { type: 'signed-in' }
  | { type: 'signed-out' }
  | { type: 'user-changed' };

/** What the session needs from the browser; tests bring their own. */
export interface SessionPlatform {
  fetch: typeof fetch;
  now: () => number;
  locks: Pick<LockManager, 'request'> | undefined;
  channel: Pick<BroadcastChannel, 'postMessage' | 'addEventListener'> | undefined;
}

/** A token is renewed this long before it ends, so that a call on its way does not meet the end. */
const RENEW_BEFORE_MS = 30_000;
const AUTH = '/api/v1/auth';

/** The front ends of one installation may share a host name, and cookies do not know ports: each has one of its own. */
export type Application = 'admin' | 'app';

/** Address of a call that sets, uses or clears the refresh cookie of `application`. */
const authPath = (call: string, application: Application) => `${AUTH}/${call}?application=${application}`;

export function browserPlatform(): SessionPlatform {
  return {
    fetch: (...args) => window.fetch(...args),
    now: Date.now,
    locks: navigator.locks,
    channel: typeof BroadcastChannel === 'undefined' ? undefined : new BroadcastChannel('tracker-session'),
  };
}

export class Session {
  private state: SessionState = { status: 'starting' };
  private token: string | undefined;
  private expiresAt = 0;
  private renewing: Promise<string | undefined> | undefined;
  private readonly listeners = new Set<() => void>();
  private readonly platform: SessionPlatform;
  /** Set once, before start(). */
  application: Application = 'app';

  constructor(platform: SessionPlatform = browserPlatform()) {
    this.platform = platform;
    platform.channel?.addEventListener('message', (event) => this.hear((event as MessageEvent<Message>).data));
  }

  /** For useSyncExternalStore. */
  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };
  readonly snapshot = (): SessionState => this.state;

  /** Takes up the session that the refresh cookie stands for, if there is one. Also to try again when unreachable. */
  async start(): Promise<void> {
    try {
      if ((await this.accessToken()) !== undefined) await this.loadUser();
      else this.set({ status: 'signed-out', expired: false });
    } catch {
      this.set({ status: 'unreachable' });
    }
  }

  /** Throws ApiError (wrong password: 401, too many attempts: 429) or NetworkError. */
  async signIn(email: string, password: string): Promise<void> {
    const response = await this.post(authPath('login/json', this.application), { email, password });
    const body = (await response.json()) as { access_token: string; expires_in: number; user: User };
    this.keep(body.access_token, body.expires_in);
    this.set({ status: 'signed-in', user: body.user });
    this.tell({ type: 'signed-in' });
  }

  /** Signs out here and in all tabs. When the server cannot be reached the session is kept and NetworkError thrown. */
  async signOut(everywhere = false): Promise<void> {
    const token = await this.accessToken();
    if (token !== undefined)
      await this.post(authPath(everywhere ? 'logout-all' : 'logout', this.application), {}, token);
    this.drop(false);
    this.tell({ type: 'signed-out' });
  }

  /** A token that is still valid for a while, or undefined when nobody is signed in. Throws NetworkError. */
  async accessToken(): Promise<string | undefined> {
    if (this.token !== undefined && this.platform.now() < this.expiresAt - RENEW_BEFORE_MS) return this.token;
    return this.renew();
  }

  /** Called when the server refused `token`: gets another one, unless somebody has done so already. */
  async replaceToken(token: string): Promise<string | undefined> {
    if (this.token === token) this.token = undefined;
    return this.accessToken();
  }

  /** After the profile was changed: the other tabs show it too. */
  setUser(user: User): void {
    this.set({ status: 'signed-in', user });
    this.tell({ type: 'user-changed' });
  }

  private renew(): Promise<string | undefined> {
    this.renewing ??= this.renewAlone().finally(() => (this.renewing = undefined));
    return this.renewing;
  }

  private async renewAlone(): Promise<string | undefined> {
    const before = this.expiresAt;
    const run = async (): Promise<string | undefined> => {
      // While we waited for the lock another tab may have renewed and told us.
      if (this.expiresAt > before && this.token !== undefined) return this.token;
      return this.askForToken();
    };
    return this.platform.locks ? this.platform.locks.request('tracker-session', run) : run();
  }

  private async askForToken(): Promise<string | undefined> {
    const response = await this.call(authPath('refresh-cookie', this.application), {
      headers: { Accept: 'application/json' },
    });
    if (response.status === 401) {
      this.drop(this.state.status === 'signed-in');
      return undefined;
    }
    if (!response.ok) throw new ApiError(await problemOf(response));
    const body = (await response.json()) as { access_token: string; expires_in: number };
    this.keep(body.access_token, body.expires_in);
    this.tell({ type: 'token', token: body.access_token, expiresAt: this.expiresAt });
    return this.token;
  }

  private async loadUser(): Promise<void> {
    const token = await this.accessToken();
    if (token === undefined) return;
    const response = await this.call('/api/v1/users/me', { headers: { Authorization: `Bearer ${token}` } });
    if (!response.ok) throw new ApiError(await problemOf(response));
    this.set({ status: 'signed-in', user: (await response.json()) as User });
  }

  private async post(path: string, body: object, token?: string): Promise<Response> {
    const headers: Record<string, string> = { 'Content-Type': 'application/json', Accept: 'application/json' };
    if (token !== undefined) headers.Authorization = `Bearer ${token}`;
    const response = await this.call(path, { method: 'POST', headers, body: JSON.stringify(body) });
    // 401 to a sign-out: the session is over already, which is what was asked for.
    if (!response.ok && !(token !== undefined && response.status === 401))
      throw new ApiError(await problemOf(response));
    return response;
  }

  private async call(path: string, init: RequestInit): Promise<Response> {
    try {
      return await this.platform.fetch(path, init);
    } catch (cause) {
      throw new NetworkError('The server cannot be reached', { cause });
    }
  }

  private keep(token: string, seconds: number): void {
    this.token = token;
    this.expiresAt = this.platform.now() + seconds * 1000;
  }

  private drop(expired: boolean): void {
    this.token = undefined;
    this.expiresAt = 0;
    this.set({ status: 'signed-out', expired });
  }

  private hear(message: Message): void {
    switch (message.type) {
      case 'token':
        this.token = message.token;
        this.expiresAt = message.expiresAt;
        break;
      case 'signed-out':
        this.drop(false);
        break;
      case 'signed-in':
        // Perhaps somebody else: forget the old token, so that start() asks for the one of the new cookie.
        this.token = undefined;
        void this.start();
        break;
      case 'user-changed':
        void this.loadUser().catch(() => undefined);
        break;
    }
  }

  private tell(message: Message): void {
    this.platform.channel?.postMessage(message);
  }

  private set(state: SessionState): void {
    this.state = state;
    for (const listener of this.listeners) listener();
  }
}

export const session = new Session();
