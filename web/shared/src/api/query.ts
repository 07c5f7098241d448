// The query cache: what is retried, how long data counts as fresh, and that it dies with the session.
import { QueryClient } from '@tanstack/react-query';
import { session } from '../session/session';
import { isTransient } from './problem';

const STALE_MS = 15_000;
const RETRIES = 2;

export function makeQueryClient(): QueryClient {
  const client = new QueryClient({
    defaultOptions: {
      queries: {
        staleTime: STALE_MS,
        retry: (count, error) => count < RETRIES && isTransient(error),
        // The live stream tells of changes; a focused window asks again only for what is stale.
        refetchOnWindowFocus: true,
      },
      mutations: { retry: false },
    },
  });
  let owner: number | undefined;
  session.subscribe(() => {
    const state = session.snapshot();
    const user = state.status === 'signed-in' ? state.user.id : undefined;
    // Nothing that one user saw may be shown to the next.
    if (owner !== undefined && user !== owner && state.status !== 'unreachable') client.clear();
    if (state.status !== 'unreachable' && state.status !== 'starting') owner = user;
  });
  return client;
}
