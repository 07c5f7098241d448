// Small labels: a status is told by word and icon, never by colour alone.
import { BadgeCheck, CircleDashed, Truck, Warehouse } from 'lucide-react';
import type { ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import type { Tracker } from '../api/schema';
import { cn } from './cn';

export type Tone = 'neutral' | 'info' | 'success' | 'warning' | 'danger';

const TONES: Record<Tone, string> = {
  neutral: 'bg-raised text-ink',
  info: 'bg-info-soft text-info',
  success: 'bg-success-soft text-success',
  warning: 'bg-warning-soft text-warning',
  danger: 'bg-danger-soft text-danger',
};

export function Badge({ tone = 'neutral', icon, children }: { tone?: Tone; icon?: ReactNode; children: ReactNode }) {
  return (
    <span
      className={cn(
        'inline-flex items-center gap-1 rounded-full px-2 py-0.5 text-xs font-medium whitespace-nowrap',
        TONES[tone],
      )}
    >
      {icon}
      {children}
    </span>
  );
}

export type Status = Tracker['status'];

export const statuses: Status[] = ['CREATED', 'IN_TRANSIT', 'IN_STORAGE', 'DELIVERED'];

const STATUS_LOOK = {
  CREATED: { tone: 'neutral', icon: CircleDashed },
  IN_TRANSIT: { tone: 'warning', icon: Truck },
  IN_STORAGE: { tone: 'info', icon: Warehouse },
  DELIVERED: { tone: 'success', icon: BadgeCheck },
} as const;

/** Colours of the statuses where a badge does not fit: charts and maps. The same in light and dark. */
export const statusColors: Record<Status, string> = {
  CREATED: '#64748b',
  IN_TRANSIT: '#d97706',
  IN_STORAGE: '#2563eb',
  DELIVERED: '#16a34a',
};

export function StatusBadge({ status }: { status: Status }) {
  const { t } = useTranslation('shared');
  const { tone, icon: Icon } = STATUS_LOOK[status];
  return (
    <Badge tone={tone} icon={<Icon aria-hidden className="size-3.5" />}>
      {t(`status.${status}`)}
    </Badge>
  );
}
