// Production runs and how far each is.
import { formatDate } from '@tracker/shared/i18n/format.ts';
import type { ProductionRun } from '@tracker/shared/api/schema.d.ts';
import { Card, PageHead } from '@tracker/shared/ui/Card.tsx';
import { Input } from '@tracker/shared/ui/Input.tsx';
import { Await, Empty } from '@tracker/shared/ui/states.tsx';
import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { getRouteApi, Link } from '@tanstack/react-router';
import type { TFunction } from 'i18next';
import { useTranslation } from 'react-i18next';
import { MoreButton } from '../common/MoreButton';
import { Progress } from '../common/Progress';
import { runFiguresQuery, runsQuery } from '../common/queries';

const route = getRouteApi('/frame/runs');

export function RunsPage() {
  const { t } = useTranslation('app');
  const { q } = route.useSearch();
  const navigate = route.useNavigate();
  const runs = useInfiniteQuery(runsQuery({ sort: '-starts_at', ...(q ? { q } : {}) }));
  const figures = useQuery(runFiguresQuery());
  return (
    <div className="mx-auto flex max-w-4xl flex-col gap-4">
      <PageHead title={t('runs.title')} />
      <Input
        type="search"
        aria-label={t('runs.search')}
        placeholder={t('runs.search')}
        maxLength={200}
        className="sm:max-w-sm"
        value={q ?? ''}
        onChange={(event) => void navigate({ search: { q: event.target.value || undefined }, replace: true })}
      />
      <Card flush>
        <Await query={runs}>
          {({ pages }) => (
            <>
              {pages[0]?.items.length === 0 && <Empty title={q ? t('runs.none') : t('runs.noneYet')} />}
              <ul className="divide-y divide-line">
                {pages
                  .flatMap((page) => page.items)
                  .map((run) => {
                    const counts = figures.data?.items.find((item) => item.id === run.id)?.by_status;
                    return (
                      <li key={run.id} className="flex flex-col gap-2 px-4 py-3">
                        <div className="flex flex-wrap items-baseline justify-between gap-x-3">
                          <Link
                            to="/runs/$id"
                            params={{ id: run.id }}
                            className="min-w-0 font-medium break-words hover:underline"
                          >
                            {run.name}
                          </Link>
                          <span className="text-xs text-muted">{runPeriod(t, run)}</span>
                        </div>
                        {counts && <Progress name={run.name} counts={counts} />}
                      </li>
                    );
                  })}
              </ul>
              <MoreButton query={runs} />
            </>
          )}
        </Await>
      </Card>
    </div>
  );
}

/** “From 3 May 2026”, “3 May 2026 to 1 June 2026”. */
export function runPeriod(t: TFunction<'app'>, run: Pick<ProductionRun, 'starts_at' | 'ends_at'>): string {
  const from = formatDate(run.starts_at);
  return run.ends_at ? t('runs.periodTo', { from, to: formatDate(run.ends_at) }) : t('runs.period', { from });
}
