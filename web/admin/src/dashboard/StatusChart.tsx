// Trackers by status, day by day: stacked bars, with the figures as a table for those who cannot see them.
import type { StatusDay } from '@tracker/shared/api/schema.d.ts';
import { formatDate, formatNumber } from '@tracker/shared/i18n/format.ts';
import { statusColors, statuses } from '@tracker/shared/ui/Badge.tsx';
import { Empty } from '@tracker/shared/ui/states.tsx';
import { useTranslation } from 'react-i18next';

const WIDTH = 600;
const HEIGHT = 200;
/** Part of a day's width that is left free. */
const GAP = 0.15;

function total(day: StatusDay): number {
  return statuses.reduce((sum, status) => sum + day.by_status[status], 0);
}

export function StatusChart({ days }: { days: StatusDay[] }) {
  const { t } = useTranslation(['admin', 'shared']);
  const most = Math.max(1, ...days.map(total));
  const step = WIDTH / Math.max(1, days.length);
  if (days.length === 0) return <Empty />;
  return (
    <figure className="flex flex-col gap-3">
      <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} className="w-full" role="img" aria-label={t('dashboard.overTime')}>
        {days.map((day, index) => (
          <Bar key={day.day} day={day} x={index * step} width={step * (1 - GAP)} most={most} />
        ))}
      </svg>
      <div className="flex justify-between text-xs text-muted">
        <span>{formatDate(days[0]?.day ?? '')}</span>
        <span>{formatDate(days.at(-1)?.day ?? '')}</span>
      </div>
      <figcaption className="flex flex-wrap gap-x-4 gap-y-1">
        {statuses.map((status) => (
          <span key={status} className="inline-flex items-center gap-1.5">
            <span aria-hidden className="size-3 rounded-sm" style={{ background: statusColors[status] }} />
            {t(`shared:status.${status}`)}
          </span>
        ))}
      </figcaption>
      <table className="sr-only">
        <caption>{t('dashboard.overTime')}</caption>
        <thead>
          <tr>
            <th>{t('field.at')}</th>
            {statuses.map((status) => (
              <th key={status}>{t(`shared:status.${status}`)}</th>
            ))}
          </tr>
        </thead>
        <tbody>
          {days.map((day) => (
            <tr key={day.day}>
              <th>{formatDate(day.day)}</th>
              {statuses.map((status) => (
                <td key={status}>{formatNumber(day.by_status[status])}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </figure>
  );
}

function Bar({ day, x, width, most }: { day: StatusDay; x: number; width: number; most: number }) {
  const { t } = useTranslation('shared');
  const lines = statuses.map((status) => `${t(`status.${status}`)}: ${formatNumber(day.by_status[status])}`);
  // Delivered stands at the bottom: it grows. Each piece stands on the sum of those below it.
  const order = [...statuses].reverse();
  const pieces = order.map((status, index) => {
    const below = order.slice(0, index).reduce((sum, other) => sum + day.by_status[other], 0);
    const height = (day.by_status[status] / most) * HEIGHT;
    const y = HEIGHT - (below / most) * HEIGHT - height;
    return <rect key={status} x={x} y={y} width={width} height={height} fill={statusColors[status]} />;
  });
  return (
    <g>
      <title>{[formatDate(day.day), ...lines].join('\n')}</title>
      {pieces}
    </g>
  );
}
