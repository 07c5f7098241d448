// How far a run is: a bar of its units by status, and "7 of 12 delivered" in words.
import { statusColors, statuses, type Status } from '@tracker/shared/ui/Badge.tsx';
import { formatNumber } from '@tracker/shared/i18n/format.ts';
import { useTranslation } from 'react-i18next';

export type Counts = Record<Status, number>;

/** From what is done to what has not begun. */
export const progressOrder: Status[] = [...statuses].reverse();

export function total(counts: Counts): number {
  return statuses.reduce((sum, status) => sum + counts[status], 0);
}

export function Progress({ name, counts }: { name: string; counts: Counts }) {
  const { t } = useTranslation('app');
  const all = total(counts);
  if (all === 0) return <p className="text-muted">{t('runs.noTrackers')}</p>;
  const text = t('runs.delivered', { delivered: formatNumber(counts.DELIVERED), total: formatNumber(all) });
  return (
    <div className="flex flex-col gap-1">
      <div
        role="progressbar"
        aria-label={t('runs.progress', { name })}
        aria-valuemin={0}
        aria-valuemax={all}
        aria-valuenow={counts.DELIVERED}
        aria-valuetext={text}
        className="flex h-2.5 gap-px overflow-hidden rounded-full bg-raised"
      >
        {progressOrder.map((status) => (
          <span
            key={status}
            style={{ width: `${(100 * counts[status]) / all}%`, backgroundColor: statusColors[status] }}
          />
        ))}
      </div>
      <p className="text-muted">{text}</p>
    </div>
  );
}
