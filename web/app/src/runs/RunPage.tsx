// A production run: how far it is, where its units are, its places, and what happened.
import type { ProductionRun } from '@tracker/shared/api/schema.d.ts';
import { formatNumber } from '@tracker/shared/i18n/format.ts';
import { Gallery } from '@tracker/shared/images/Gallery.tsx';
import { useUser } from '@tracker/shared/session/useSession.ts';
import { Badge, StatusBadge } from '@tracker/shared/ui/Badge.tsx';
import { Card, PageHead } from '@tracker/shared/ui/Card.tsx';
import { Await, Empty, Loading } from '@tracker/shared/ui/states.tsx';
import { Tabs } from '@tracker/shared/ui/Tabs.tsx';
import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { getRouteApi, Link } from '@tanstack/react-router';
import { lazy, Suspense } from 'react';
import { useTranslation } from 'react-i18next';
import { EventLine } from '../common/EventLine';
import { MoreButton } from '../common/MoreButton';
import { Progress, progressOrder, type Counts } from '../common/Progress';
import { eventsQuery, runFiguresQuery, runPlacesQuery, runQuery } from '../common/queries';
import { SubscriptionCard } from '../notifications/SubscriptionCard';
import { ShareCard } from '../share/ShareCard';
import { TrackerList } from '../trackers/TrackerList';
import { runPeriod } from './RunsPage';
import { runTabs } from './search';

const route = getRouteApi('/frame/runs/$id');
const TrackersMap = lazy(() => import('../trackers/TrackersMap').then((module) => ({ default: module.TrackersMap })));

export function RunPage() {
  const { id } = route.useParams();
  const run = useQuery(runQuery(id));
  return <Await query={run}>{(row) => <RunView key={row.id} run={row} />}</Await>;
}

function RunView({ run }: { run: ProductionRun }) {
  const { t } = useTranslation('app');
  const figures = useQuery(runFiguresQuery(run.id));
  const counts = figures.data?.items[0]?.by_status;
  const places = useQuery(runPlacesQuery(run.id));
  return (
    <div className="mx-auto flex max-w-6xl flex-col gap-4">
      <PageHead title={run.name} trail={runPeriod(t, run)} />
      {run.description && <p className="max-w-prose break-words text-muted">{run.description}</p>}
      {figures.isSuccess && (
        <Card>
          {counts ? (
            <div className="flex flex-col gap-3">
              <Progress name={run.name} counts={counts} />
              <Legend run={run.id} counts={counts} />
            </div>
          ) : (
            <p className="text-muted">{t('runs.noTrackers')}</p>
          )}
        </Card>
      )}
      <Card title={t('run.map')} flush>
        <div className="relative h-80 md:h-96">
          <Suspense fallback={<Loading />}>
            <TrackersMap
              label={t('run.mapLabel', { name: run.name })}
              filter={{ production_run_id: String(run.id) }}
              places={places.data?.items ?? []}
            />
          </Suspense>
        </div>
      </Card>
      <More run={run} />
    </div>
  );
}

/** The units by status, each leading to the list of them. */
function Legend({ run, counts }: { run: number; counts: Counts }) {
  return (
    <ul className="flex flex-wrap gap-x-5 gap-y-2">
      {progressOrder.map((status) => (
        <li key={status}>
          <Link to="/trackers" search={{ run, status }} className="inline-flex items-center gap-2 hover:underline">
            <StatusBadge status={status} />
            <span className="font-semibold tabular-nums">{formatNumber(counts[status])}</span>
          </Link>
        </li>
      ))}
    </ul>
  );
}

function More({ run }: { run: ProductionRun }) {
  const { t } = useTranslation('app');
  const { tab = 'trackers' } = route.useSearch();
  const navigate = route.useNavigate();
  const mayChange = useUser().role !== 'user';
  const labels = {
    trackers: t('run.trackers'),
    events: t('run.lastEvents'),
    places: t('run.places'),
    images: t('tracker.tabs.images'),
    share: t('tracker.tabs.share'),
    notify: t('tracker.tabs.notify'),
  };
  const content = {
    trackers: (
      <Card flush>
        <TrackerList query={{ production_run_id: String(run.id), sort: 'name' }} filtered={false} />
      </Card>
    ),
    events: <Events run={run.id} />,
    places: <Places run={run.id} />,
    images: <Gallery owner={{ kind: 'production_run', id: run.id }} name={run.name} mayChange={mayChange} />,
    share: <ShareCard subject={{ production_run_id: run.id }} />,
    notify: <SubscriptionCard subject={{ production_run_id: run.id }} />,
  };
  return (
    <Tabs
      label={t('run.tabs.label')}
      value={tab}
      onChange={(next) =>
        void navigate({
          search: { tab: runTabs.find((name) => name === next && name !== 'trackers') },
          replace: true,
          resetScroll: false,
        })
      }
      tabs={runTabs.map((name) => ({ id: name, label: labels[name], content: content[name] }))}
    />
  );
}

function Events({ run }: { run: number }) {
  const { t } = useTranslation('app');
  const events = useInfiniteQuery(eventsQuery({ production_run_id: String(run) }));
  return (
    <Card flush>
      <Await query={events}>
        {({ pages }) => (
          <>
            {pages[0]?.items.length === 0 && <Empty title={t('overview.recentNone')} />}
            <ol className="divide-y divide-line">
              {pages
                .flatMap((page) => page.items)
                .map((event) => (
                  <EventLine key={event.id} event={event} tracker />
                ))}
            </ol>
            <MoreButton query={events} />
          </>
        )}
      </Await>
    </Card>
  );
}

function Places({ run }: { run: number }) {
  const { t } = useTranslation('app');
  const places = useQuery(runPlacesQuery(run));
  return (
    <Card flush>
      <Await query={places}>
        {({ items }) => (
          <>
            {items.length === 0 && <Empty title={t('run.placesNone')} />}
            <ul className="divide-y divide-line">
              {items.map((place) => (
                <li key={place.id} className="flex flex-wrap items-center justify-between gap-2 px-4 py-2.5">
                  <div className="min-w-0">
                    <p className="font-medium break-words">{place.name}</p>
                    {place.address && <p className="break-words text-muted">{place.address}</p>}
                  </div>
                  <Badge tone={place.kind === 'delivery' ? 'success' : 'info'}>{t(`run.kind.${place.kind}`)}</Badge>
                </li>
              ))}
            </ul>
          </>
        )}
      </Await>
    </Card>
  );
}
