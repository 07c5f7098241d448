// A tracker at a glance: its track on the map, and beside it what happened, newest first, with the reasons.
import { api, call } from '@tracker/shared/api/client.ts';
import type { Event, StatusChange, Tracker } from '@tracker/shared/api/schema.d.ts';
import { trackPoints } from '@tracker/shared/track/track.ts';
import { Why } from '@tracker/shared/track/Why.tsx';
import { StatusBadge } from '@tracker/shared/ui/Badge.tsx';
import { Card } from '@tracker/shared/ui/Card.tsx';
import { Select } from '@tracker/shared/ui/Input.tsx';
import { Await, Empty, Loading } from '@tracker/shared/ui/states.tsx';
import { Time } from '@tracker/shared/ui/Time.tsx';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { lazy, Suspense, useMemo, useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { Row } from '../resource/spec';

const TrackMap = lazy(() =>
  import('@tracker/shared/track/TrackMap.tsx').then((module) => ({ default: module.TrackMap })),
);

const DAY_MS = 86_400_000;
const PERIODS = [1, 7, 30, 90] as const;
const RAW_DAYS = 7;
const MOST_POINTS = 2000;
const MOST_ENTRIES = 100;

export function TrackerOverview({ row }: { row: Row }) {
  const tracker = row as unknown as Tracker;
  return (
    <div className="grid gap-4 xl:grid-cols-[minmax(0,2fr)_minmax(20rem,1fr)]">
      <Track tracker={tracker} />
      <Timeline id={tracker.id} />
    </div>
  );
}

function usePlaces(run: number | null) {
  return useQuery({
    queryKey: ['/api/v1/production-runs', run, 'locations'],
    enabled: run !== null,
    queryFn: ({ signal }) =>
      call(api.GET('/api/v1/production-runs/{id}/locations', { params: { path: { id: run ?? 0 } }, signal })),
  });
}

function Track({ tracker }: { tracker: Tracker }) {
  const { t } = useTranslation('admin');
  const [days, setDays] = useState<number>(RAW_DAYS);
  const places = usePlaces(tracker.production_run_id);
  const history = useQuery({
    queryKey: ['/api/v1/trackers', tracker.id, 'history', days],
    queryFn: ({ signal }) => {
      const from = new Date(Date.now() - days * DAY_MS).toISOString();
      const resolution = days <= RAW_DAYS ? ('raw' as const) : ('auto' as const);
      const query = { from, resolution, limit: MOST_POINTS };
      return call(api.GET('/api/v1/trackers/{id}/history', { params: { path: { id: tracker.id }, query }, signal }));
    },
  });
  const points = useMemo(() => trackPoints(history.data?.items ?? []), [history.data]);
  return (
    <Card
      flush
      title={t('track.title')}
      actions={
        <Select
          aria-label={t('track.period')}
          className="w-40"
          value={String(days)}
          options={PERIODS.map((value) => ({ value: String(value), label: t('track.days', { count: value }) }))}
          onChange={(event) => setDays(Number(event.target.value))}
        />
      }
    >
      <Await query={history}>
        {() =>
          points.length === 0 ? (
            <Empty title={t('track.none')} />
          ) : (
            <Suspense fallback={<Loading />}>
              <TrackMap name={tracker.name} points={points} places={places.data?.items ?? []} />
            </Suspense>
          )
        }
      </Await>
    </Card>
  );
}

type Entry = { at: string; status: StatusChange } | { at: string; event: Event };

function Timeline({ id }: { id: number }) {
  const { t } = useTranslation('admin');
  const timeline = useQuery({
    queryKey: ['/api/v1/trackers', id, 'timeline'],
    queryFn: async ({ signal }) => {
      const path = { id };
      const [statuses, events] = await Promise.all([
        call(
          api.GET('/api/v1/trackers/{id}/status-history', {
            params: { path, query: { sort: '-since', limit: MOST_ENTRIES } },
            signal,
          }),
        ),
        call(
          api.GET('/api/v1/trackers/{id}/events', {
            params: { path, query: { sort: '-occurred_at', limit: MOST_ENTRIES } },
            signal,
          }),
        ),
      ]);
      const entries: Entry[] = [
        ...statuses.items.map((status) => ({ at: status.since, status })),
        ...events.items.map((event) => ({ at: event.occurred_at, event })),
      ];
      return entries.sort((a, b) => Date.parse(b.at) - Date.parse(a.at));
    },
  });
  return (
    <Card title={t('timeline.title')} className="max-h-[40rem]">
      <div className="h-full max-h-[36rem] overflow-y-auto" role="region" aria-label={t('timeline.title')} tabIndex={0}>
        <Await query={timeline}>
          {(entries) =>
            entries.length === 0 ? (
              <Empty title={t('timeline.none')} />
            ) : (
              <ol className="flex flex-col gap-3 border-l border-line pl-4">
                {entries.map((entry) => (
                  <li
                    key={'status' in entry ? `s${entry.status.id}` : `e${entry.event.id}`}
                    className="flex flex-col gap-0.5"
                  >
                    {'status' in entry ? <StatusEntry change={entry.status} /> : <EventEntry event={entry.event} />}
                  </li>
                ))}
              </ol>
            )
          }
        </Await>
      </div>
    </Card>
  );
}

function StatusEntry({ change }: { change: StatusChange }) {
  return (
    <>
      <div className="flex flex-wrap items-center gap-2">
        <StatusBadge status={change.status} />
        {change.location_name && <span className="font-medium">{change.location_name}</span>}
        <span className="text-xs text-muted">
          <Time value={change.since} exact />
        </span>
      </div>
      <Why change={change} />
    </>
  );
}

function EventEntry({ event }: { event: Event }) {
  const { t } = useTranslation('admin');
  return (
    <p className="text-muted">
      {t(`enum.${event.kind}`)}:{' '}
      <Link
        to={`/${event.location_kind}-locations/$id` as never}
        params={{ id: String(event.location_id) } as never}
        className="text-link underline"
      >
        {event.location_name}
      </Link>{' '}
      · <Time value={event.occurred_at} exact />
    </p>
  );
}
