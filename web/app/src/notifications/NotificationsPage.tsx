// What the user was told, and what they are told of.
import { api, call } from '@tracker/shared/api/client.ts';
import type { Notification } from '@tracker/shared/api/schema.d.ts';
import { Button } from '@tracker/shared/ui/Button.tsx';
import { Card, PageHead } from '@tracker/shared/ui/Card.tsx';
import { cn } from '@tracker/shared/ui/cn.ts';
import { Checkbox } from '@tracker/shared/ui/Input.tsx';
import { Await, Empty } from '@tracker/shared/ui/states.tsx';
import { Tabs } from '@tracker/shared/ui/Tabs.tsx';
import { Time } from '@tracker/shared/ui/Time.tsx';
import { toast } from '@tracker/shared/ui/toast.tsx';
import { useInfiniteQuery, useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { getRouteApi, Link } from '@tanstack/react-router';
import { useTranslation } from 'react-i18next';
import { MoreButton } from '../common/MoreButton';
import { NOTIFICATIONS, notificationsQuery, UNREAD, unreadQuery } from './queries';
import { WishesTab } from './WishesTab';

const route = getRouteApi('/frame/notifications');

export function NotificationsPage() {
  const { t } = useTranslation('app');
  const { tab = 'list' } = route.useSearch();
  const navigate = route.useNavigate();
  return (
    <div className="mx-auto flex max-w-3xl flex-col gap-4">
      <PageHead title={t('nav.notifications')} />
      <Tabs
        label={t('nav.notifications')}
        value={tab}
        onChange={(next) => void navigate({ search: next === 'wishes' ? { tab: 'wishes' } : {}, replace: true })}
        tabs={[
          { id: 'list', label: t('notifications.told'), content: <Told /> },
          { id: 'wishes', label: t('notifications.wishes'), content: <WishesTab /> },
        ]}
      />
    </div>
  );
}

function Told() {
  const { t } = useTranslation('app');
  const { unread: unreadOnly = false } = route.useSearch();
  const navigate = route.useNavigate();
  const queries = useQueryClient();
  const notifications = useInfiniteQuery(notificationsQuery(unreadOnly));
  const count = useQuery(unreadQuery());
  const mark = useMutation({
    mutationFn: (body: { ids: number[] } | { all: true }) => call(api.POST('/api/v1/notifications/read', { body })),
    onSuccess: () =>
      Promise.all([NOTIFICATIONS, UNREAD].map((path) => queries.invalidateQueries({ queryKey: [path] }))),
    onError: (error) => toast.error(error),
  });
  return (
    <div className="flex flex-col gap-3">
      <div className="flex flex-wrap items-center justify-between gap-3">
        <Checkbox
          label={t('notifications.unreadOnly')}
          checked={unreadOnly}
          onChange={({ target: { checked } }) =>
            void navigate({ search: checked ? { unread: true } : {}, replace: true })
          }
        />
        <Button small busy={mark.isPending} disabled={!count.data?.unread} onClick={() => mark.mutate({ all: true })}>
          {t('notifications.markAll')}
        </Button>
      </div>
      <Card flush>
        <Await query={notifications}>
          {({ pages }) => (
            <>
              {pages[0]?.items.length === 0 && (
                <Empty title={unreadOnly ? t('notifications.noneUnread') : t('notifications.none')}>
                  {!unreadOnly && <p className="max-w-prose">{t('notifications.noneText')}</p>}
                </Empty>
              )}
              <ul className="divide-y divide-line">
                {pages
                  .flatMap((page) => page.items)
                  .map((row) => (
                    <Line key={row.id} row={row} onOpen={() => !row.read && mark.mutate({ ids: [row.id] })} />
                  ))}
              </ul>
              <MoreButton query={notifications} />
            </>
          )}
        </Await>
      </Card>
    </div>
  );
}

function Line({ row, onOpen }: { row: Notification; onOpen: () => void }) {
  const { t } = useTranslation('app');
  const names = { tracker: row.tracker_name, place: row.location_name ?? t('tracker.sentence.unknownPlace') };
  return (
    <li>
      <Link
        to="/trackers/$id"
        params={{ id: row.tracker_id }}
        onClick={onOpen}
        className="flex items-start gap-3 px-4 py-3 hover:bg-raised focus-visible:-outline-offset-2"
      >
        <span
          aria-hidden
          className={cn('mt-1.5 size-2 shrink-0 rounded-full', row.read ? 'bg-transparent' : 'bg-accent')}
        />
        <span className="min-w-0 flex-1">
          <span className={cn('block break-words', !row.read && 'font-semibold', row.withdrawn && 'line-through')}>
            {!row.read && <span className="sr-only">{t('notifications.unread')}: </span>}
            {t(`notifications.text.${row.kind}`, names)}
          </span>
          <span className="block text-muted">
            {[row.production_run_name, row.withdrawn ? t('notifications.withdrawn') : ''].filter(Boolean).join(' · ')}
          </span>
        </span>
        <span className="shrink-0 text-muted">
          <Time value={row.happened_at} />
        </span>
      </Link>
    </li>
  );
}
