// Overview: how many units are where, how far each run is, what needs attention, what happened last.
import type { Dashboard, ProductionRun } from '@tracker/shared/api/schema.d.ts';
import { formatNumber } from '@tracker/shared/i18n/format.ts';
import { useUser } from '@tracker/shared/session/useSession.ts';
import { StatusBadge } from '@tracker/shared/ui/Badge.tsx';
import { buttonClass } from '@tracker/shared/ui/Button.tsx';
import { Card, PageHead } from '@tracker/shared/ui/Card.tsx';
import { Await, Empty } from '@tracker/shared/ui/states.tsx';
import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { ChevronRight } from 'lucide-react';
import { useTranslation } from 'react-i18next';
import { EventLine } from '../common/EventLine';
import { Progress, progressOrder, type Counts } from '../common/Progress';
import { dashboardQuery, runFiguresQuery, runsQuery } from '../common/queries';
import { ATTENTION_KINDS } from '../exceptions/kinds';

/** More runs have their own page. */
const RUNS = 6;
const EVENTS = 8;

export function OverviewPage() {
  const { t } = useTranslation('app');
  const user = useUser();
  const dashboard = useQuery(dashboardQuery());
  return (
    <div className="mx-auto flex max-w-6xl flex-col gap-4">
      <PageHead title={t('overview.hello', { name: user.name })} />
      <Await query={dashboard}>
        {(figures) =>
          figures.trackers.total === 0 && figures.production_runs.total === 0 ? (
            <Card>
              <Empty title={t('overview.none')}>
                <p>{t('overview.noneText')}</p>
              </Empty>
            </Card>
          ) : (
            <>
              <StatusTiles counts={figures.trackers.by_status} />
              <div className="grid items-start gap-4 lg:grid-cols-2">
                <Runs />
                <div className="flex min-w-0 flex-col gap-4">
                  <Attention exceptions={figures.exceptions} />
                  <Recent events={figures.recent_events} />
                </div>
              </div>
            </>
          )
        }
      </Await>
    </div>
  );
}

function StatusTiles({ counts }: { counts: Counts }) {
  return (
    <ul className="grid grid-cols-2 gap-3 lg:grid-cols-4">
      {progressOrder.map((status) => (
        <li key={status}>
          <Link
            to="/trackers"
            search={{ status }}
            className="flex h-full flex-col gap-2 rounded-lg border border-line bg-surface p-4 hover:border-edge"
          >
            <span className="text-3xl font-semibold tabular-nums">{formatNumber(counts[status])}</span>
            <span>
              <StatusBadge status={status} />
            </span>
          </Link>
        </li>
      ))}
    </ul>
  );
}

function Runs() {
  const { t } = useTranslation('app');
  const runs = useInfiniteQuery(runsQuery({ limit: RUNS, sort: '-starts_at' }));
  const figures = useQuery(runFiguresQuery());
  return (
    <Card
      flush
      title={t('overview.runs')}
      actions={
        <Link to="/runs" className={buttonClass('quiet', true)}>
          {t('overview.allRuns')}
          <ChevronRight aria-hidden className="size-4" />
        </Link>
      }
    >
      <Await query={runs}>
        {({ pages }) => (
          <ul className="divide-y divide-line">
            {(pages[0]?.items ?? []).map((run) => (
              <RunLine
                key={run.id}
                run={run}
                counts={figures.data?.items.find((item) => item.id === run.id)?.by_status}
              />
            ))}
            {pages[0]?.items.length === 0 && <Empty title={t('runs.noneYet')} />}
          </ul>
        )}
      </Await>
    </Card>
  );
}

function RunLine({ run, counts }: { run: ProductionRun; counts: Counts | undefined }) {
  return (
    <li className="flex flex-col gap-2 px-4 py-3">
      <Link to="/runs/$id" params={{ id: run.id }} className="font-medium break-words hover:underline">
        {run.name}
      </Link>
      {counts && <Progress name={run.name} counts={counts} />}
    </li>
  );
}

function Attention({ exceptions }: { exceptions: Dashboard['exceptions'] }) {
  const { t } = useTranslation('app');
  const kinds = ATTENTION_KINDS.filter((kind) => exceptions[kind] > 0);
  return (
    <Card title={t('overview.attention')} flush>
      {kinds.length === 0 && <p className="p-4 text-muted">{t('overview.attentionNone')}</p>}
      <ul className="divide-y divide-line">
        {kinds.map((kind) => (
          <li key={kind}>
            <Link
              to="/exceptions"
              search={{ kind }}
              className="flex items-center justify-between gap-3 px-4 py-2.5 hover:bg-raised"
            >
              {t(`exceptions.kinds.${kind}`)}
              <span className="font-semibold tabular-nums">{formatNumber(exceptions[kind])}</span>
            </Link>
          </li>
        ))}
      </ul>
    </Card>
  );
}

function Recent({ events }: { events: Dashboard['recent_events'] }) {
  const { t } = useTranslation('app');
  return (
    <Card title={t('overview.recent')} flush>
      {events.length === 0 && <p className="p-4 text-muted">{t('overview.recentNone')}</p>}
      <ul className="divide-y divide-line">
        {events.slice(0, EVENTS).map((event) => (
          <EventLine key={event.id} event={event} tracker />
        ))}
      </ul>
    </Card>
  );
}
