// What a share link shows to whoever has it: one tracker or one run. No session, no navigation, nothing else.
import { call, publicApi } from '@tracker/shared/api/client.ts';
import { ApiError } from '@tracker/shared/api/problem.ts';
import type { Shared, SharedTracker } from '@tracker/shared/api/schema.d.ts';
import { formatDate } from '@tracker/shared/i18n/format.ts';
import { Preferences } from '@tracker/shared/shell/Preferences.tsx';
import { getProduct } from '@tracker/shared/shell/product.ts';
import { StatusBadge } from '@tracker/shared/ui/Badge.tsx';
import { Card, PageHead } from '@tracker/shared/ui/Card.tsx';
import { Empty, Failure, Loading } from '@tracker/shared/ui/states.tsx';
import { Time } from '@tracker/shared/ui/Time.tsx';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import { MapPinned } from 'lucide-react';
import { lazy, Suspense, useMemo } from 'react';
import { useTranslation } from 'react-i18next';
import { Progress } from '../common/Progress';
import { runPeriod } from '../runs/RunsPage';
import { statusSentence } from '../tracker/StatusCard';
import { trackPoints } from '@tracker/shared/track/track.ts';

const route = getRouteApi('/s/$token');
const TrackMap = lazy(() =>
  import('@tracker/shared/track/TrackMap.tsx').then((module) => ({ default: module.TrackMap })),
);
const SharedRunMap = lazy(() => import('./SharedRunMap').then((module) => ({ default: module.SharedRunMap })));

/** There are no live events without an account; the page asks again while it is looked at. */
const ASK_AGAIN_MS = 60_000;
const TRACK_DAYS = 7;
const DAY_MS = 86_400_000;
const MOST_POINTS = 2000;

export function SharedPage() {
  const { t } = useTranslation('app');
  const { token } = route.useParams();
  const shared = useQuery({
    queryKey: ['/api/v1/shared', token],
    queryFn: ({ signal }) => call(publicApi.GET('/api/v1/shared/{token}', { params: { path: { token } }, signal })),
    refetchInterval: ASK_AGAIN_MS,
    placeholderData: keepPreviousData,
  });
  const gone = shared.error instanceof ApiError && [404, 422].includes(shared.error.status);
  return (
    <div className="flex min-h-full flex-col">
      <header className="flex flex-wrap items-center justify-between gap-2 border-b border-line bg-surface px-4 py-2">
        <span className="flex items-center gap-2 font-semibold">
          <MapPinned aria-hidden className="size-5 text-link" />
          {getProduct()}
        </span>
        <Preferences />
      </header>
      <main className="mx-auto flex w-full max-w-4xl flex-1 flex-col gap-4 p-4">
        {gone ? (
          <Card>
            <h1 className="sr-only">{getProduct()}</h1>
            <Empty title={t('shared.gone')}>
              <p>{t('shared.goneText')}</p>
            </Empty>
          </Card>
        ) : shared.data ? (
          <Content token={token} shared={shared.data} />
        ) : shared.error ? (
          <Failure error={shared.error} onRetry={() => void shared.refetch()} />
        ) : (
          <Loading />
        )}
      </main>
    </div>
  );
}

function Content({ token, shared }: { token: string; shared: Shared }) {
  const { t } = useTranslation('app');
  return (
    <>
      {shared.kind === 'tracker' && shared.tracker && (
        <SharedUnit token={token} tracker={shared.tracker} run={shared.production_run?.name} />
      )}
      {shared.kind === 'production_run' && shared.production_run && (
        <SharedRun shared={shared} run={shared.production_run} />
      )}
      {shared.expires_at && (
        <p className="text-xs text-muted">{t('share.until', { date: formatDate(shared.expires_at) })}</p>
      )}
    </>
  );
}

function SharedUnit({ token, tracker, run }: { token: string; tracker: SharedTracker; run: string | undefined }) {
  const { t } = useTranslation('app');
  const history = useQuery({
    queryKey: ['/api/v1/shared/history', token],
    queryFn: ({ signal }) => {
      const from = new Date(Date.now() - TRACK_DAYS * DAY_MS).toISOString();
      const query = { from, resolution: 'raw' as const, limit: MOST_POINTS };
      return call(publicApi.GET('/api/v1/shared/{token}/history', { params: { path: { token }, query }, signal }));
    },
    refetchInterval: ASK_AGAIN_MS,
  });
  const items = history.data?.items;
  const points = useMemo(() => trackPoints(items ?? []), [items]);
  return (
    <>
      <PageHead title={tracker.name} trail={run} beside={<StatusBadge status={tracker.status} />} />
      <p className="text-lg font-semibold break-words">
        {statusSentence(t, { ...tracker, last_place: tracker.place }, tracker.location?.name)}
      </p>
      {tracker.reported_at && (
        <p className="text-muted">
          {t('tracker.lastSeen')}: <Time value={tracker.reported_at} />
        </p>
      )}
      <Card title={t('track.title')} flush>
        {history.isPending ? (
          <Loading />
        ) : points.length === 0 ? (
          <Empty title={t('track.none')} />
        ) : (
          <Suspense fallback={<Loading />}>
            <TrackMap name={tracker.name} points={points} places={[]} />
          </Suspense>
        )}
      </Card>
    </>
  );
}

function SharedRun({ shared, run }: { shared: Shared; run: NonNullable<Shared['production_run']> }) {
  const { t } = useTranslation('app');
  const trackers = shared.trackers ?? [];
  return (
    <>
      <PageHead title={run.name} trail={`${run.brand} · ${runPeriod(t, run)}`} />
      {run.description && <p className="max-w-prose break-words text-muted">{run.description}</p>}
      {shared.progress && (
        <Card>
          <Progress name={run.name} counts={shared.progress.by_status} />
        </Card>
      )}
      {trackers.some((tracker) => tracker.position) && (
        <Card title={t('run.map')} flush>
          <div className="relative h-80">
            <Suspense fallback={<Loading />}>
              <SharedRunMap name={run.name} trackers={trackers} />
            </Suspense>
          </div>
        </Card>
      )}
      <Card title={t('trackers.title')} flush>
        {trackers.length === 0 && <Empty title={t('runs.noTrackers')} />}
        <ul className="divide-y divide-line">
          {trackers.map((tracker) => (
            <li key={tracker.id} className="flex flex-col gap-1 px-4 py-2.5">
              <span className="flex items-center justify-between gap-3">
                <span className="min-w-0 font-medium break-words">{tracker.name}</span>
                <StatusBadge status={tracker.status} />
              </span>
              <span className="flex items-center justify-between gap-3 text-muted">
                <span className="min-w-0 truncate">{tracker.location?.name ?? tracker.place ?? ''}</span>
                {tracker.reported_at ? <Time value={tracker.reported_at} /> : t('trackers.neverSeen')}
              </span>
            </li>
          ))}
        </ul>
      </Card>
    </>
  );
}
