// Trackers as a list that grows: name, status, where, when last seen.
import type { Tracker } from '@tracker/shared/api/schema.d.ts';
import { StatusBadge } from '@tracker/shared/ui/Badge.tsx';
import { Await, Empty } from '@tracker/shared/ui/states.tsx';
import { Time } from '@tracker/shared/ui/Time.tsx';
import { useInfiniteQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { BatteryLow } from 'lucide-react';
import { useTranslation } from 'react-i18next';
import { MoreButton } from '../common/MoreButton';
import { trackersQuery, type QueryOf } from '../common/queries';

export function TrackerList({ query, filtered }: { query: QueryOf<'/api/v1/trackers'>; filtered: boolean }) {
  const { t } = useTranslation('app');
  const trackers = useInfiniteQuery(trackersQuery(query));
  return (
    <Await query={trackers}>
      {({ pages }) => (
        <>
          {pages[0]?.items.length === 0 &&
            (filtered ? (
              <Empty title={t('trackers.none')}>
                <p>{t('trackers.noneText')}</p>
              </Empty>
            ) : (
              <Empty title={t('overview.none')}>
                <p>{t('overview.noneText')}</p>
              </Empty>
            ))}
          <ul className="divide-y divide-line">
            {pages
              .flatMap((page) => page.items)
              .map((tracker) => (
                <TrackerLine key={tracker.id} tracker={tracker} />
              ))}
          </ul>
          <MoreButton query={trackers} />
        </>
      )}
    </Await>
  );
}

function TrackerLine({ tracker }: { tracker: Tracker }) {
  const { t } = useTranslation(['app', 'shared']);
  const low = tracker.battery === 'low' || tracker.battery === 'very_low';
  return (
    <li>
      <Link
        to="/trackers/$id"
        params={{ id: tracker.id }}
        className="flex flex-col gap-1 px-4 py-2.5 hover:bg-raised focus-visible:-outline-offset-2"
      >
        <span className="flex items-center justify-between gap-3">
          <span className="min-w-0 font-medium break-words">{tracker.name}</span>
          <StatusBadge status={tracker.status} />
        </span>
        <span className="flex items-center justify-between gap-3 text-muted">
          <span className="min-w-0 truncate">{tracker.last_place ?? ''}</span>
          <span className="flex shrink-0 items-center gap-2">
            {low && (
              <BatteryLow
                aria-label={t(`shared:battery.${tracker.battery ?? 'low'}`)}
                className="size-4 text-warning"
              />
            )}
            {tracker.last_report_at ? <Time value={tracker.last_report_at} /> : t('trackers.neverSeen')}
          </span>
        </span>
      </Link>
    </li>
  );
}
