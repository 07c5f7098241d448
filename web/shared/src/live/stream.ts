// The live stream: one connection of server-sent events per tab, resumed where it broke off.
//
// EventSource cannot send a token, so the stream is read with fetch. `reset` means that events were missed: reload.
import { createParser } from 'eventsource-parser';
import { authorizedFetch } from '../api/client';
import { session } from '../session/session';

export type LiveState = 'connecting' | 'open' | 'closed';
export type LiveKind = 'position' | 'status' | 'notification' | 'task' | 'reset';
export type LiveListener = (kind: LiveKind, data: unknown) => void;

const PATH = '/api/v1/stream';
const WAIT_MS = [500, 1000, 2000, 5000, 10_000];
/** The server sends a comment every 15 s; three missed ones mean that the connection is dead. */
const SILENCE_MS = 50_000;
const kinds = new Set<string>(['position', 'status', 'notification', 'task', 'reset']);

export class LiveStream {
  private state: LiveState = 'connecting';
  private failures = 0;
  private lastId: string | undefined;
  private abort: AbortController | undefined;
  private retry: ReturnType<typeof setTimeout> | undefined;
  private silence: ReturnType<typeof setTimeout> | undefined;
  private users = 0;
  private readonly watchers = new Set<() => void>();
  private readonly listeners = new Set<LiveListener>();

  readonly snapshot = (): LiveState => this.state;
  readonly watch = (watcher: () => void): (() => void) => {
    this.watchers.add(watcher);
    return () => this.watchers.delete(watcher);
  };

  /** Calls `listener` for each event until the returned function is called. The connection lives while anybody listens. */
  listen(listener: LiveListener): () => void {
    this.listeners.add(listener);
    if (this.users++ === 0) this.connect();
    return () => {
      this.listeners.delete(listener);
      if (--this.users === 0) this.stop();
    };
  }

  /** Called when the page wakes up or the network comes back: do not wait for the next try. */
  wake(): void {
    if (this.users > 0 && this.state !== 'open') {
      this.failures = 0;
      this.connect();
    }
  }

  private connect(): void {
    clearTimeout(this.retry);
    this.abort?.abort();
    const abort = new AbortController();
    this.abort = abort;
    void this.read(abort.signal)
      .catch(() => undefined)
      .then(() => {
        if (!abort.signal.aborted) this.lost();
      });
  }

  private async read(signal: AbortSignal): Promise<void> {
    const headers: Record<string, string> = { Accept: 'text/event-stream' };
    if (this.lastId !== undefined) headers['Last-Event-ID'] = this.lastId;
    const request = new Request(location.origin + PATH, { headers, signal, cache: 'no-store' });
    const response = await authorizedFetch(request);
    if (!response.ok || !response.body) throw new Error(`stream: ${response.status}`);
    this.failures = 0;
    this.set('open');
    const parser = createParser({
      onEvent: ({ id, event, data }) => {
        if (id !== undefined) this.lastId = id;
        if (event !== undefined && kinds.has(event)) this.deliver(event as LiveKind, data);
      },
    });
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    for (;;) {
      this.expectSound();
      const { done, value } = await reader.read();
      if (done) return;
      parser.feed(value);
    }
  }

  private deliver(kind: LiveKind, text: string): void {
    let data: unknown;
    try {
      data = text ? JSON.parse(text) : undefined;
    } catch {
      return;
    }
    for (const listener of this.listeners) listener(kind, data);
  }

  private expectSound(): void {
    clearTimeout(this.silence);
    this.silence = setTimeout(() => this.connect(), SILENCE_MS);
  }

  private lost(): void {
    clearTimeout(this.silence);
    this.set(this.failures === 0 ? 'connecting' : 'closed');
    const wait = WAIT_MS[Math.min(this.failures++, WAIT_MS.length - 1)] ?? 10_000;
    // Spread out, so that not all browsers come back to a restarted server at once.
    this.retry = setTimeout(() => this.connect(), wait * (0.5 + Math.random()));
  }

  private stop(): void {
    clearTimeout(this.retry);
    clearTimeout(this.silence);
    this.abort?.abort();
    this.lastId = undefined;
    this.set('connecting');
  }

  private set(state: LiveState): void {
    if (this.state === state) return;
    this.state = state;
    for (const watcher of this.watchers) watcher();
  }
}

export const liveStream = new LiveStream();

if (typeof window !== 'undefined') {
  window.addEventListener('online', () => liveStream.wake());
  document.addEventListener('visibilitychange', () => {
    if (document.visibilityState === 'visible' && session.snapshot().status === 'signed-in') liveStream.wake();
  });
}
