// Live events in React: the connection's state, a listener, and the cache that follows the events.
import { useQueryClient, type QueryClient } from '@tanstack/react-query';
import { useEffect, useEffectEvent, useSyncExternalStore } from 'react';
import { liveStream, type LiveListener, type LiveState } from './stream';

export function useLiveState(): LiveState {
  return useSyncExternalStore(liveStream.watch, liveStream.snapshot);
}

/** Calls `listener` for each event while the component is mounted. */
export function useLive(listener: LiveListener): void {
  const heard = useEffectEvent(listener);
  useEffect(() => liveStream.listen((kind, data) => heard(kind, data)), []);
}

/** Events come in bursts (a batch of 256 trackers); queries are renewed at most this often. */
const RENEW_MS = 2000;

/**
 * Marks what an event touches as old, so that visible queries load again. Query keys start with the path that they
 * load: ['/api/v1/trackers', …], ['/api/v1/tasks', …]. Used once, by the application's frame.
 */
export function useLiveCache(touched: Record<string, string[]>): void {
  const client = useQueryClient();
  useEffect(() => {
    const due = new Set<string>();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const renew = () => {
      timer = undefined;
      invalidate(client, due);
      due.clear();
    };
    const stop = liveStream.listen((kind) => {
      if (kind === 'reset') void client.invalidateQueries();
      for (const path of touched[kind] ?? []) due.add(path);
      if (due.size > 0) timer ??= setTimeout(renew, RENEW_MS);
    });
    return () => {
      clearTimeout(timer);
      stop();
    };
  }, [client, touched]);
}

function invalidate(client: QueryClient, paths: Set<string>): void {
  void client.invalidateQueries({
    predicate: ({ queryKey }) => typeof queryKey[0] === 'string' && paths.has(queryKey[0]),
  });
}
