// What the notification pages ask of the API.
import { api, call } from '@tracker/shared/api/client.ts';
import { infiniteQueryOptions, queryOptions } from '@tanstack/react-query';

export const NOTIFICATIONS = '/api/v1/notifications';
export const UNREAD = '/api/v1/notifications/unread-count';
export const SUBSCRIPTIONS = '/api/v1/subscriptions';

const PAGE = 50;

export const unreadQuery = () =>
  queryOptions({ queryKey: [UNREAD], queryFn: ({ signal }) => call(api.GET(UNREAD, { signal })) });

export const notificationsQuery = (unreadOnly: boolean) =>
  infiniteQueryOptions({
    queryKey: [NOTIFICATIONS, { unreadOnly }],
    queryFn: ({ signal, pageParam }) => {
      const query = {
        limit: PAGE,
        sort: '-id' as const,
        ...(unreadOnly ? { read: 'false' as const } : {}),
        ...(pageParam ? { cursor: pageParam } : {}),
      };
      return call(api.GET(NOTIFICATIONS, { params: { query }, signal }));
    },
    initialPageParam: '',
    getNextPageParam: (page) => page.next_cursor,
  });

export const subscriptionsQuery = (
  subject: { client_id?: string; tracker_id?: string; production_run_id?: string } = {},
) =>
  queryOptions({
    queryKey: [SUBSCRIPTIONS, subject],
    queryFn: ({ signal }) => call(api.GET(SUBSCRIPTIONS, { params: { query: { ...subject, limit: 500 } }, signal })),
  });
