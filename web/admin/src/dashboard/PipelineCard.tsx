// Whether the pipeline makes progress: ages, not “the process is up”.
import type { Dashboard } from '@tracker/shared/api/schema.d.ts';
import { formatNumber } from '@tracker/shared/i18n/format.ts';
import { Badge } from '@tracker/shared/ui/Badge.tsx';
import { Card } from '@tracker/shared/ui/Card.tsx';
import { Link } from '@tanstack/react-router';
import { useTranslation } from 'react-i18next';
import type en from '../i18n/en';
import { useWord } from '../resource/cells';

type Pipeline = NonNullable<Dashboard['pipeline']>;

const AGES = ['overdue_seconds', 'last_batch_seconds', 'inbox_seconds'] as const;
const COUNTS = ['due_trackers', 'inbox_rows', 'geocode_wanted'] as const;
const GROUPS = ['batches', 'reports', 'accounts', 'tasks'] as const;
const MINUTE = 60;
const HOUR = 3600;

function useAge(): (seconds: number | null) => string {
  const { t } = useTranslation('admin');
  return (seconds) => {
    if (seconds === null) return '–';
    if (seconds < MINUTE) return t('pipeline.seconds', { count: seconds });
    if (seconds < HOUR) return t('pipeline.minutes', { count: Math.floor(seconds / MINUTE) });
    return t('pipeline.hours', { count: Math.floor(seconds / HOUR) });
  };
}

export function PipelineCard({ pipeline }: { pipeline: Pipeline }) {
  const { t, i18n } = useTranslation('admin');
  const age = useAge();
  const word = useWord();
  const label = (name: string) =>
    i18n.exists(`admin:pipeline.${name}`) ? t(`pipeline.${name as keyof typeof en.pipeline}`) : word(name);
  return (
    <Card
      title={t('pipeline.title')}
      actions={
        <Badge tone={pipeline.status === 'ok' ? 'success' : 'danger'}>
          {t(pipeline.status === 'ok' ? 'pipeline.ok' : 'pipeline.stalled')}
        </Badge>
      }
    >
      <dl className="grid grid-cols-[1fr_auto] gap-x-4 gap-y-1">
        {AGES.map((name) => (
          <Line key={name} label={t(`pipeline.${name}`)} value={age(pipeline[name])} />
        ))}
        {COUNTS.map((name) => (
          <Line key={name} label={t(`pipeline.${name}`)} value={formatNumber(pipeline[name])} />
        ))}
        {GROUPS.map((group) =>
          Object.entries(pipeline[group] as Record<string, unknown>)
            .filter((entry): entry is [string, number] => typeof entry[1] === 'number')
            .map(([name, value]) => (
              <Line
                key={`${group}.${name}`}
                label={`${t(`pipeline.${group}`)}: ${label(name)}`}
                value={formatNumber(value)}
              />
            )),
        )}
      </dl>
      <p className="flex flex-wrap gap-4 pt-3">
        <Link to={'/fetch-batches' as never} className="text-link hover:underline">
          {t('resource.fetch-batches.many')}
        </Link>
        <Link to={'/apple-accounts' as never} className="text-link hover:underline">
          {t('resource.apple-accounts.many')}
        </Link>
        <Link to={'/tasks'} className="text-link hover:underline">
          {t('task.title')}
        </Link>
      </p>
    </Card>
  );
}

function Line({ label, value }: { label: string; value: string }) {
  return (
    <>
      <dt className="text-muted">{label}</dt>
      <dd className="text-right tabular-nums">{value}</dd>
    </>
  );
}
