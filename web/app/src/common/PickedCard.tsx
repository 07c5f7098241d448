// The tracker that was clicked on a map: a card at the map's lower edge.
import type { TrackerPosition } from '@tracker/shared/api/schema.d.ts';
import { StatusBadge } from '@tracker/shared/ui/Badge.tsx';
import { buttonClass, IconButton } from '@tracker/shared/ui/Button.tsx';
import { Time } from '@tracker/shared/ui/Time.tsx';
import { Link } from '@tanstack/react-router';
import { X } from 'lucide-react';
import { useTranslation } from 'react-i18next';

export function PickedCard({ row, onClose }: { row: TrackerPosition | undefined; onClose: () => void }) {
  const { t } = useTranslation(['app', 'shared']);
  if (!row) return null;
  return (
    <div
      role="status"
      className="absolute inset-x-2 bottom-9 flex flex-col gap-2 rounded-lg border border-line bg-surface p-3 shadow-lg sm:right-auto sm:w-80"
    >
      <div className="flex items-start justify-between gap-2">
        <span className="min-w-0 pt-1.5 font-medium break-words">{row.name}</span>
        <IconButton label={t('shared:action.close')} icon={<X aria-hidden className="size-4" />} onClick={onClose} />
      </div>
      <div className="flex flex-wrap items-center gap-2 text-muted">
        <StatusBadge status={row.status} />
        {row.place}
        <Time value={row.reported_at} />
      </div>
      <Link to="/trackers/$id" params={{ id: row.tracker_id }} className={buttonClass('primary', true)}>
        {t('trackers.open', { name: row.name })}
      </Link>
    </div>
  );
}
