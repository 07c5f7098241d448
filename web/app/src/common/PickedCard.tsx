// What was clicked on a map: a card at the map's lower edge for one tracker, or for those that stand at one spot.
import type { Bounds } from '@tracker/shared/map/geometry.ts';
import { StatusBadge, type Status } from '@tracker/shared/ui/Badge.tsx';
import { buttonClass, IconButton } from '@tracker/shared/ui/Button.tsx';
import { Time } from '@tracker/shared/ui/Time.tsx';
import { useInfiniteQuery } from '@tanstack/react-query';
import { X } from 'lucide-react';
import type { ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { Link } from '@tanstack/react-router';
import { TrackerList } from '../trackers/TrackerList';
import type { TrackerFilter } from '../trackers/search';
import { trackersQuery } from './queries';

interface Tracker {
  id: number;
  name: string;
  status: Status;
  reported_at: string | null;
}

function MapCard({ title, onClose, children }: { title: string; onClose: () => void; children: ReactNode }) {
  const { t } = useTranslation('shared');
  return (
    <div
      role="status"
      className="absolute inset-x-2 bottom-9 flex max-h-[60%] flex-col gap-2 rounded-lg border border-line bg-surface p-3 shadow-lg sm:right-auto sm:w-80"
    >
      <div className="flex items-start justify-between gap-2">
        <span className="min-w-0 pt-1.5 font-medium break-words">{title}</span>
        <IconButton label={t('action.close')} icon={<X aria-hidden className="size-4" />} onClick={onClose} />
      </div>
      {children}
    </div>
  );
}

export function PickedCard({ tracker, onClose }: { tracker: Tracker; onClose: () => void }) {
  const { t } = useTranslation('app');
  return (
    <MapCard title={tracker.name} onClose={onClose}>
      <div className="flex flex-wrap items-center gap-2 text-muted">
        <StatusBadge status={tracker.status} />
        <Time value={tracker.reported_at} />
      </div>
      <Link to="/trackers/$id" params={{ id: tracker.id }} className={buttonClass('primary', true)}>
        {t('trackers.open', { name: tracker.name })}
      </Link>
    </MapCard>
  );
}

interface GroupCardProps {
  filter: TrackerFilter;
  bounds: Bounds;
  onClose: () => void;
}

export function GroupCard({ filter, bounds, onClose }: GroupCardProps) {
  const { t } = useTranslation('app');
  const query = { ...filter, bbox: bounds.map((degrees) => degrees.toFixed(6)).join(), sort: 'name' as const };
  const { data } = useInfiniteQuery(trackersQuery(query));
  const first = data?.pages[0];
  const title = first ? t('trackers.atSpot', { count: first.items.length }) : t('trackers.title');
  return (
    <MapCard title={title} onClose={onClose}>
      {/* Focusable, so that it scrolls by keyboard. */}
      {/* eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex */}
      <div tabIndex={0} className="-mx-3 -mb-3 min-h-0 overflow-y-auto border-t border-line">
        <TrackerList query={query} filtered />
      </div>
    </MapCard>
  );
}
