// Where a tracker was in the last days: the period's choice, the history, and the map when there is something on it.
import { api, call } from '@tracker/shared/api/client.ts';
import type { Tracker } from '@tracker/shared/api/schema.d.ts';
import { trackPoints } from '@tracker/shared/track/track.ts';
import { Card } from '@tracker/shared/ui/Card.tsx';
import { Select } from '@tracker/shared/ui/Input.tsx';
import { Await, Empty, Loading } from '@tracker/shared/ui/states.tsx';
import { useQuery } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import { lazy, Suspense, useMemo } from 'react';
import { useTranslation } from 'react-i18next';
import { runPlacesQuery } from '../common/queries';
import { periods } from './search';

const route = getRouteApi('/frame/trackers/$id');
const TrackMap = lazy(() =>
  import('@tracker/shared/track/TrackMap.tsx').then((module) => ({ default: module.TrackMap })),
);

const DAY_MS = 86_400_000;
const USUAL_DAYS = 7;
/** The most points that are drawn; `auto` resolution stays below it for all periods but a very chatty day. */
const MOST_POINTS = 2000;

export function TrackCard({ tracker }: { tracker: Tracker }) {
  const { t } = useTranslation('app');
  const { days = USUAL_DAYS } = route.useSearch();
  const navigate = route.useNavigate();
  const places = useQuery({
    ...runPlacesQuery(tracker.production_run_id ?? 0),
    enabled: tracker.production_run_id !== null,
  });
  const history = useQuery({
    queryKey: ['/api/v1/history', tracker.id, days],
    queryFn: ({ signal }) => {
      const from = new Date(Date.now() - days * DAY_MS).toISOString();
      const query = { from, resolution: days <= USUAL_DAYS ? ('raw' as const) : ('auto' as const), limit: MOST_POINTS };
      return call(api.GET('/api/v1/trackers/{id}/history', { params: { path: { id: tracker.id }, query }, signal }));
    },
  });
  const items = history.data?.items;
  const points = useMemo(() => trackPoints(items ?? []), [items]);
  return (
    <Card
      flush
      title={t('track.title')}
      actions={
        <div className="w-44">
          <Select
            aria-label={t('track.period')}
            value={String(days)}
            options={periods.map((value) => ({ value: String(value), label: t(`track.periods.${value}`) }))}
            onChange={({ target: { value } }) => {
              const next = periods.find((period) => String(period) === value);
              void navigate({
                search: (before) => ({ ...before, days: next === USUAL_DAYS ? undefined : next }),
                replace: true,
                resetScroll: false,
              });
            }}
          />
        </div>
      }
    >
      <Await query={history}>
        {({ resolution, next_cursor }) =>
          points.length === 0 ? (
            <Empty title={tracker.last_report_at ? t('track.none') : t('track.noneSeen')} />
          ) : (
            <Suspense fallback={<Loading />}>
              <TrackMap name={tracker.name} points={points} places={places.data?.items ?? []} />
              <p className="border-t border-line px-4 py-2 text-xs text-muted">
                {t('track.points', { count: points.length })}
                {resolution !== 'raw' && `, ${t(`track.summary.${resolution}`)}`}
                {next_cursor && ` · ${t('track.truncated', { count: points.length })}`}
              </p>
            </Suspense>
          )
        }
      </Await>
    </Card>
  );
}
