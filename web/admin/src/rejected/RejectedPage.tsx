// Reports that could not be used: how many and why, by day or by tracker.
import { api, call } from '@tracker/shared/api/client.ts';
import type { RejectedReports } from '@tracker/shared/api/schema.d.ts';
import { formatNumber } from '@tracker/shared/i18n/format.ts';
import type { Search } from '@tracker/shared/shell/search.ts';
import { Card, PageHead } from '@tracker/shared/ui/Card.tsx';
import { Select } from '@tracker/shared/ui/Input.tsx';
import { Await, Empty } from '@tracker/shared/ui/states.tsx';
import { Tabs } from '@tracker/shared/ui/Tabs.tsx';
import { useQuery } from '@tanstack/react-query';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { useTranslation } from 'react-i18next';
import { RejectedTable } from './RejectedTable';
import { useReason } from './useReason';

const DAY_MS = 86_400_000;
const PERIODS = ['7', '30', '90'] as const;
const GROUPS_MAX = 500;

type Group = 'day' | 'tracker';

export function RejectedPage() {
  const { t } = useTranslation('admin');
  const search: Search = useSearch({ strict: false });
  const navigate = useNavigate();
  const days = PERIODS.find((each) => each === search.days) ?? '7';
  const group: Group = search.group === 'tracker' ? 'tracker' : 'day';
  const go = (next: Search) => void navigate({ to: '.', search: { days, group, ...next } as never, replace: true });
  const content = <Groups key={group} group={group} days={Number(days)} />;
  return (
    <div className="flex flex-col gap-4">
      <PageHead
        title={t('rejected.title')}
        actions={
          <Select
            aria-label={t('track.period')}
            className="w-44"
            value={days}
            options={PERIODS.map((value) => ({ value, label: t('track.days', { count: Number(value) }) }))}
            onChange={(event) => go({ days: event.target.value })}
          />
        }
      />
      <p className="text-muted">{t('rejected.text')}</p>
      <Tabs
        label={t('rejected.title')}
        value={group}
        onChange={(next) => go({ group: next })}
        tabs={(['day', 'tracker'] as const).map((id) => ({
          id,
          label: t(`rejected.by.${id}`),
          content: id === group ? content : null,
        }))}
      />
    </div>
  );
}

function Groups({ group, days }: { group: Group; days: number }) {
  const { t } = useTranslation('admin');
  const reports = useQuery({
    queryKey: ['/api/v1/rejected-reports', group, days],
    queryFn: ({ signal }) => {
      const from = new Date(Date.now() - days * DAY_MS).toISOString();
      const query = { from, group_by: group, limit: GROUPS_MAX };
      return call(api.GET('/api/v1/rejected-reports', { params: { query }, signal }));
    },
  });
  return (
    <Await query={reports}>
      {({ items, complete }) =>
        items.length === 0 ? (
          <Card>
            <Empty title={t('rejected.none')} />
          </Card>
        ) : (
          <div className="flex flex-col gap-4">
            <Reasons items={items} />
            <Card flush>
              <RejectedTable label={t(`rejected.by.${group}`)} items={items} />
            </Card>
            {!complete && <p className="text-warning">{t('rejected.incomplete')}</p>}
          </div>
        )
      }
    </Await>
  );
}

/** The sum of each reason, the most frequent first. */
function Reasons({ items }: { items: RejectedReports['items'] }) {
  const name = useReason();
  const sums = new Map<string, number>();
  for (const { reason, reports } of items) sums.set(reason, (sums.get(reason) ?? 0) + reports);
  return (
    <ul className="grid grid-cols-2 gap-4 md:grid-cols-4">
      {[...sums]
        .sort(([, a], [, b]) => b - a)
        .map(([reason, count]) => (
          <li key={reason} className="flex flex-col rounded-lg border border-line bg-surface p-4">
            <span className="text-muted">{name(reason)}</span>
            <span className="text-2xl font-semibold tabular-nums">{formatNumber(count)}</span>
          </li>
        ))}
    </ul>
  );
}
