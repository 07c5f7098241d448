// The questions that several pages ask of the API. Keys begin with the path, so that live events renew them.
import { api, call } from '@tracker/shared/api/client.ts';
import type { paths } from '@tracker/shared/api/schema.d.ts';
import { infiniteQueryOptions, queryOptions } from '@tanstack/react-query';
import type { TrackerFilter } from '../trackers/search';

/** The query parameters of a GET. */
export type QueryOf<Path extends keyof paths> = paths[Path] extends { get: { parameters: { query?: infer Query } } }
  ? NonNullable<Query>
  : never;

/** Rows of a page in a list that grows by scrolling. */
export const PAGE = 50;

const nextCursor = {
  initialPageParam: '',
  getNextPageParam: (page: { next_cursor: string | null }) => page.next_cursor,
};

/** The clients that the user sees; who has more than a page of them is no customer. */
export const clientsQuery = () =>
  queryOptions({
    queryKey: ['/api/v1/clients'],
    queryFn: ({ signal }) =>
      call(api.GET('/api/v1/clients', { params: { query: { limit: PAGE, sort: 'name' } }, signal })),
  });

export const trackerQuery = (id: number) =>
  queryOptions({
    queryKey: ['/api/v1/trackers', id],
    queryFn: ({ signal }) => call(api.GET('/api/v1/trackers/{id}', { params: { path: { id } }, signal })),
  });

export const trackersQuery = (query: QueryOf<'/api/v1/trackers'>) =>
  infiniteQueryOptions({
    queryKey: ['/api/v1/trackers', query],
    queryFn: ({ signal, pageParam }) =>
      call(api.GET('/api/v1/trackers', { params: { query: { limit: PAGE, ...query, ...cursor(pageParam) } }, signal })),
    ...nextCursor,
  });

/** Newest positions of some trackers, to know where a map should look. A text or a battery level cannot be asked for here. */
export const positionsQuery = ({ status, production_run_id }: TrackerFilter) =>
  queryOptions({
    queryKey: ['/api/v1/trackers/positions', { status, production_run_id }],
    queryFn: ({ signal }) => {
      const query = { limit: 500, ...(status ? { status } : {}), ...(production_run_id ? { production_run_id } : {}) };
      return call(api.GET('/api/v1/trackers/positions/latest', { params: { query }, signal }));
    },
    // The map is not moved under the reader's fingers.
    staleTime: Infinity,
  });

export const statusHistoryQuery = (id: number) =>
  infiniteQueryOptions({
    queryKey: ['/api/v1/status-history', id],
    queryFn: ({ signal, pageParam }) =>
      call(
        api.GET('/api/v1/trackers/{id}/status-history', {
          params: { path: { id }, query: { limit: PAGE, sort: '-since', ...cursor(pageParam) } },
          signal,
        }),
      ),
    ...nextCursor,
  });

export const eventsQuery = (query: QueryOf<'/api/v1/events'>) =>
  infiniteQueryOptions({
    queryKey: ['/api/v1/events', query],
    queryFn: ({ signal, pageParam }) =>
      call(
        api.GET('/api/v1/events', {
          params: { query: { limit: PAGE, sort: '-occurred_at', ...query, ...cursor(pageParam) } },
          signal,
        }),
      ),
    ...nextCursor,
  });

export const exceptionsQuery = (query: QueryOf<'/api/v1/exceptions'>) =>
  infiniteQueryOptions({
    queryKey: ['/api/v1/exceptions', query],
    queryFn: ({ signal, pageParam }) =>
      call(
        api.GET('/api/v1/exceptions', {
          params: { query: { limit: PAGE, sort: '-since', ...query, ...cursor(pageParam) } },
          signal,
        }),
      ),
    ...nextCursor,
  });

export const dashboardQuery = () =>
  queryOptions({
    queryKey: ['/api/v1/dashboard'],
    queryFn: ({ signal }) => call(api.GET('/api/v1/dashboard', { signal })),
  });

/** Figures of each run (500 at most), or of one. */
export const runFiguresQuery = (run?: number) =>
  queryOptions({
    queryKey: ['/api/v1/statistics/status', run ?? 'all'],
    queryFn: ({ signal }) =>
      call(
        api.GET('/api/v1/statistics/status', {
          params: { query: { group_by: 'production_run', limit: 500, ...(run ? { production_run_id: run } : {}) } },
          signal,
        }),
      ),
  });

export const runQuery = (id: number) =>
  queryOptions({
    queryKey: ['/api/v1/production-runs', id],
    queryFn: ({ signal }) => call(api.GET('/api/v1/production-runs/{id}', { params: { path: { id } }, signal })),
  });

export const runsQuery = (query: QueryOf<'/api/v1/production-runs'>) =>
  infiniteQueryOptions({
    queryKey: ['/api/v1/production-runs', query],
    queryFn: ({ signal, pageParam }) =>
      call(
        api.GET('/api/v1/production-runs', {
          params: { query: { limit: PAGE, ...query, ...cursor(pageParam) } },
          signal,
        }),
      ),
    ...nextCursor,
  });

/** The places that count for a run. */
export const runPlacesQuery = (id: number) =>
  queryOptions({
    queryKey: ['/api/v1/production-runs', id, 'locations'],
    queryFn: ({ signal }) =>
      call(api.GET('/api/v1/production-runs/{id}/locations', { params: { path: { id } }, signal })),
  });

function cursor(page: string): { cursor?: string } {
  return page ? { cursor: page } : {};
}
