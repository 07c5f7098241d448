// The dashboard: how the goods stand, what needs attention, and whether the system does its work.
import { api, call } from '@tracker/shared/api/client.ts';
import type { Dashboard } from '@tracker/shared/api/schema.d.ts';
import { formatNumber } from '@tracker/shared/i18n/format.ts';
import { useUser } from '@tracker/shared/session/useSession.ts';
import { statuses, StatusBadge } from '@tracker/shared/ui/Badge.tsx';
import { Card, PageHead } from '@tracker/shared/ui/Card.tsx';
import { Await, Empty, Loading } from '@tracker/shared/ui/states.tsx';
import { Time } from '@tracker/shared/ui/Time.tsx';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { lazy, Suspense, type ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { PipelineCard } from './PipelineCard';
import { RoutesCard } from './RoutesCard';
import { StatusChart } from './StatusChart';

const TrackerMap = lazy(() => import('./TrackerMap').then((module) => ({ default: module.TrackerMap })));
const EXCEPTIONS = ['wrong_place', 'left_early', 'silent', 'stuck'] as const;

export function DashboardPage() {
  const { t } = useTranslation('admin');
  const user = useUser();
  const dashboard = useQuery({
    queryKey: ['/api/v1/dashboard'],
    queryFn: ({ signal }) => call(api.GET('/api/v1/dashboard', { signal })),
  });
  return (
    <div className="flex flex-col gap-4">
      <PageHead title={t('nav.dashboard')} />
      <Await query={dashboard}>
        {(data) => (
          <>
            <Figures data={data} />
            <div className="grid gap-4 xl:grid-cols-2">
              <Card title={t('dashboard.overTime')}>
                <StatusChart days={data.status_over_time} />
              </Card>
              <Card flush title={t('dashboard.map')}>
                <Suspense fallback={<Loading />}>
                  <TrackerMap />
                </Suspense>
              </Card>
              <RecentEvents events={data.recent_events} />
              {data.pipeline && <PipelineCard pipeline={data.pipeline} />}
              {user.role === 'admin' && <RoutesCard />}
            </div>
          </>
        )}
      </Await>
    </div>
  );
}

function Figure({
  to,
  search,
  label,
  value,
}: {
  to: string;
  search?: Record<string, string>;
  label: ReactNode;
  value: number;
}) {
  return (
    <Link
      to={to as never}
      search={(search ?? {}) as never}
      className="flex min-w-0 flex-col gap-1 rounded-lg border border-line bg-surface p-4 hover:bg-raised"
    >
      <span className="text-2xl font-semibold tabular-nums">{formatNumber(value)}</span>
      <span className="text-muted">{label}</span>
    </Link>
  );
}

function Figures({ data }: { data: Dashboard }) {
  const { t } = useTranslation('admin');
  return (
    <div className="grid grid-cols-2 gap-3 md:grid-cols-3 xl:grid-cols-5">
      <Figure to="/trackers" label={t('resource.trackers.many')} value={data.trackers.total} />
      {statuses.map((status) => (
        <Figure
          key={status}
          to="/trackers"
          search={{ status }}
          label={<StatusBadge status={status} />}
          value={data.trackers.by_status[status]}
        />
      ))}
      <Figure to="/production-runs" label={t('dashboard.runs')} value={data.production_runs.in_progress} />
      {EXCEPTIONS.map((kind) => (
        <Figure key={kind} to="/exceptions" search={{ kind }} label={t(`enum.${kind}`)} value={data.exceptions[kind]} />
      ))}
    </div>
  );
}

function RecentEvents({ events }: { events: Dashboard['recent_events'] }) {
  const { t } = useTranslation('admin');
  return (
    <Card title={t('dashboard.events')}>
      {events.length === 0 && <Empty title={t('timeline.none')} />}
      <ul className="flex flex-col gap-2">
        {events.map((event) => (
          <li key={event.id} className="flex flex-wrap justify-between gap-x-3">
            <span className="min-w-0">
              <Link
                to={'/trackers/$id' as never}
                params={{ id: String(event.tracker_id) } as never}
                className="text-link underline"
              >
                {event.tracker_name}
              </Link>{' '}
              · {t(`enum.${event.kind}`)} · {event.location_name}
            </span>
            <span className="text-muted">
              <Time value={event.occurred_at} />
            </span>
          </li>
        ))}
      </ul>
    </Card>
  );
}
