// A tracker's status in words, since when, and why.
import type { StatusChange, Tracker } from '@tracker/shared/api/schema.d.ts';
import { formatTime } from '@tracker/shared/i18n/format.ts';
import { StatusBadge } from '@tracker/shared/ui/Badge.tsx';
import { Why } from '@tracker/shared/track/Why.tsx';
import { Card } from '@tracker/shared/ui/Card.tsx';
import type { TFunction } from 'i18next';
import { useTranslation } from 'react-i18next';

interface StatusWords {
  status: Tracker['status'];
  status_since: string;
  last_place: string | null;
}

/** “In storage at Hamburg since 3 May 2026, 10:00”. */
export function statusSentence(t: TFunction<'app'>, tracker: StatusWords, place: string | null | undefined): string {
  const since = formatTime(tracker.status_since);
  const sentence = t(`tracker.sentence.${tracker.status}`, {
    since,
    place: place ?? t('tracker.sentence.unknownPlace'),
  });
  if (tracker.status !== 'IN_TRANSIT' || !tracker.last_place) return sentence;
  return `${sentence}, ${t('tracker.sentence.near', { place: tracker.last_place })}`;
}

export function StatusCard({ tracker, change }: { tracker: Tracker; change: StatusChange | undefined }) {
  const { t } = useTranslation('app');
  return (
    <Card>
      <div className="flex flex-col items-start gap-3">
        <StatusBadge status={tracker.status} />
        <p className="text-lg leading-snug font-semibold break-words">
          {statusSentence(t, tracker, change?.location_name)}
        </p>
        <details className="w-full">
          <summary className="cursor-pointer py-1 font-medium">{t('tracker.why.title')}</summary>
          <div className="pt-1">
            {change ? <Why change={change} /> : <p className="text-muted">{t('tracker.why.created')}</p>}
          </div>
        </details>
      </div>
    </Card>
  );
}
