// A tracker: its status in words, its track on the map, what happened, and why each status was given.
import type { Tracker } from '@tracker/shared/api/schema.d.ts';
import { formatDistance, formatPosition } from '@tracker/shared/i18n/format.ts';
import { Why } from '@tracker/shared/track/Why.tsx';
import { Gallery } from '@tracker/shared/images/Gallery.tsx';
import { useUser } from '@tracker/shared/session/useSession.ts';
import { Card, PageHead } from '@tracker/shared/ui/Card.tsx';
import { Await, Empty, Failure } from '@tracker/shared/ui/states.tsx';
import { Tabs } from '@tracker/shared/ui/Tabs.tsx';
import { Time } from '@tracker/shared/ui/Time.tsx';
import { StatusBadge } from '@tracker/shared/ui/Badge.tsx';
import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { getRouteApi, Link } from '@tanstack/react-router';
import { BatteryFull, BatteryLow, BatteryMedium, BatteryWarning, ExternalLink } from 'lucide-react';
import type { ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { EventLine } from '../common/EventLine';
import { MoreButton } from '../common/MoreButton';
import { eventsQuery, exceptionsQuery, runQuery, statusHistoryQuery, trackerQuery } from '../common/queries';
import { ExceptionText } from '../exceptions/ExceptionsPage';
import { SubscriptionCard } from '../notifications/SubscriptionCard';
import { ShareCard } from '../share/ShareCard';
import { StatusCard } from './StatusCard';
import { trackerTabs } from './search';
import { TrackCard } from './TrackCard';

const route = getRouteApi('/frame/trackers/$id');

export function TrackerPage() {
  const { id } = route.useParams();
  const tracker = useQuery(trackerQuery(id));
  // Of a tracker that is shown already, old data is better than a failure.
  if (tracker.error && !tracker.data) return <Failure error={tracker.error} onRetry={() => void tracker.refetch()} />;
  return <Await query={tracker}>{(row) => <TrackerView key={row.id} tracker={row} />}</Await>;
}

function TrackerView({ tracker }: { tracker: Tracker }) {
  const history = useInfiniteQuery(statusHistoryQuery(tracker.id));
  const newest = history.data?.pages[0]?.items[0];
  return (
    <div className="mx-auto flex max-w-6xl flex-col gap-4">
      <PageHead title={tracker.name} trail={<RunTrail run={tracker.production_run_id} />} />
      <div className="grid items-start gap-4 lg:grid-cols-[1fr_22rem]">
        <div className="flex min-w-0 flex-col gap-4 lg:order-2">
          <StatusCard tracker={tracker} change={newest} />
          <Attention tracker={tracker.id} />
          <Facts tracker={tracker} />
        </div>
        <div className="flex min-w-0 flex-col gap-4">
          <TrackCard tracker={tracker} />
          <More tracker={tracker} />
        </div>
      </div>
    </div>
  );
}

function RunTrail({ run }: { run: number | null }) {
  const { data } = useQuery({ ...runQuery(run ?? 0), enabled: run !== null });
  if (!data) return null;
  return (
    <Link to="/runs/$id" params={{ id: data.id }} className="hover:underline">
      {data.name}
    </Link>
  );
}

function Attention({ tracker }: { tracker: number }) {
  const { t } = useTranslation('app');
  const { data } = useInfiniteQuery(exceptionsQuery({ tracker_id: String(tracker) }));
  const rows = data?.pages[0]?.items ?? [];
  if (rows.length === 0) return null;
  return (
    <Card title={t('tracker.attention')}>
      <ul className="flex flex-col gap-2">
        {rows.map((row) => (
          <li key={row.id}>
            <ExceptionText row={row} />
          </li>
        ))}
      </ul>
    </Card>
  );
}

const BATTERY_ICONS = { full: BatteryFull, medium: BatteryMedium, low: BatteryLow, very_low: BatteryWarning };

function Facts({ tracker }: { tracker: Tracker }) {
  const { t } = useTranslation(['app', 'shared']);
  const { battery, last_position: position } = tracker;
  const Icon = battery ? BATTERY_ICONS[battery] : undefined;
  return (
    <Card>
      <dl className="flex flex-col gap-3">
        <Fact label={t('tracker.lastSeen')}>
          {tracker.last_report_at ? <Time value={tracker.last_report_at} /> : t('trackers.neverSeen')}
        </Fact>
        {tracker.last_place && <Fact label={t('tracker.lastPlace')}>{tracker.last_place}</Fact>}
        {position && (
          <Fact label={t('tracker.position')}>
            <a
              href={`https://www.openstreetmap.org/?mlat=${position.latitude}&mlon=${position.longitude}#map=16/${position.latitude}/${position.longitude}`}
              target="_blank"
              rel="noreferrer"
              className="inline-flex items-center gap-1 text-link underline"
              title={t('tracker.openMaps')}
            >
              {formatPosition(position)}
              <ExternalLink aria-hidden className="size-3.5" />
            </a>
            {tracker.last_accuracy_m !== null && (
              <span className="block text-muted">
                {t('tracker.accuracy', { distance: formatDistance(tracker.last_accuracy_m) })}
              </span>
            )}
          </Fact>
        )}
        {battery && Icon && (
          <Fact label={t('tracker.battery')}>
            <span className="inline-flex items-center gap-1.5">
              <Icon aria-hidden className="size-4" />
              {t(`shared:battery.${battery}`)}
            </span>
          </Fact>
        )}
        {tracker.description && <Fact label={t('tracker.description')}>{tracker.description}</Fact>}
        {tracker.mac_address && <Fact label={t('tracker.mac')}>{tracker.mac_address}</Fact>}
      </dl>
    </Card>
  );
}

function Fact({ label, children }: { label: string; children: ReactNode }) {
  return (
    <div>
      <dt className="text-xs text-muted">{label}</dt>
      <dd className="break-words">{children}</dd>
    </div>
  );
}

function More({ tracker }: { tracker: Tracker }) {
  const { t } = useTranslation('app');
  const { tab = 'timeline' } = route.useSearch();
  const navigate = route.useNavigate();
  const mayChange = useUser().role !== 'user';
  const subject = { tracker_id: tracker.id };
  const content = {
    timeline: <Timeline tracker={tracker.id} />,
    statuses: <Statuses tracker={tracker.id} />,
    images: <Gallery owner={{ kind: 'tracker', id: tracker.id }} name={tracker.name} mayChange={mayChange} />,
    share: <ShareCard subject={subject} />,
    notify: <SubscriptionCard subject={subject} />,
  };
  return (
    <Tabs
      label={t('tracker.tabs.label')}
      value={tab}
      onChange={(next) =>
        void navigate({
          search: (before) => ({ ...before, tab: trackerTabs.find((name) => name === next && name !== 'timeline') }),
          replace: true,
          resetScroll: false,
        })
      }
      tabs={trackerTabs.map((name) => ({ id: name, label: t(`tracker.tabs.${name}`), content: content[name] }))}
    />
  );
}

function Timeline({ tracker }: { tracker: number }) {
  const { t } = useTranslation('app');
  const events = useInfiniteQuery(eventsQuery({ tracker_id: String(tracker) }));
  return (
    <Card flush>
      <Await query={events}>
        {({ pages }) => (
          <>
            {pages[0]?.items.length === 0 && <Empty title={t('tracker.timelineNone')} />}
            <ol className="divide-y divide-line">
              {pages
                .flatMap((page) => page.items)
                .map((event) => (
                  <EventLine key={event.id} event={event} />
                ))}
            </ol>
            <MoreButton query={events} />
          </>
        )}
      </Await>
    </Card>
  );
}

function Statuses({ tracker }: { tracker: number }) {
  const { t } = useTranslation('app');
  const history = useInfiniteQuery(statusHistoryQuery(tracker));
  return (
    <Card flush>
      <Await query={history}>
        {({ pages }) => (
          <>
            {pages[0]?.items.length === 0 && <Empty title={t('tracker.statusesNone')} />}
            <ol className="divide-y divide-line">
              {pages
                .flatMap((page) => page.items)
                .map((change) => (
                  <li key={change.id} className="flex flex-col gap-1 px-4 py-3">
                    <div className="flex flex-wrap items-center gap-2">
                      <StatusBadge status={change.status} />
                      {change.location_name && <span className="font-medium break-words">{change.location_name}</span>}
                      <span className="text-muted">
                        <Time value={change.since} exact /> –{' '}
                        {change.until ? <Time value={change.until} exact /> : t('tracker.now')}
                      </span>
                    </div>
                    <Why change={change} />
                  </li>
                ))}
            </ol>
            <MoreButton query={history} />
          </>
        )}
      </Await>
    </Card>
  );
}
