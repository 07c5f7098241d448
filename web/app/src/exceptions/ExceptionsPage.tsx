// What needs attention: units at a wrong place, gone too early, silent or stuck.
import type { Exception } from '@tracker/shared/api/schema.d.ts';
import { Badge } from '@tracker/shared/ui/Badge.tsx';
import { Card, PageHead } from '@tracker/shared/ui/Card.tsx';
import { Field } from '@tracker/shared/ui/Field.tsx';
import { Select } from '@tracker/shared/ui/Input.tsx';
import { Await, Empty } from '@tracker/shared/ui/states.tsx';
import { Time } from '@tracker/shared/ui/Time.tsx';
import { useInfiniteQuery } from '@tanstack/react-query';
import { getRouteApi, Link } from '@tanstack/react-router';
import { useTranslation } from 'react-i18next';
import { MoreButton } from '../common/MoreButton';
import { exceptionsQuery } from '../common/queries';
import { ATTENTION_KINDS } from './kinds';

const route = getRouteApi('/frame/exceptions');

export function ExceptionsPage() {
  const { t } = useTranslation('app');
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const exceptions = useInfiniteQuery(
    exceptionsQuery({
      ...(search.kind ? { kind: search.kind } : {}),
      ...(search.ended ? { ended: search.ended } : {}),
    }),
  );
  const filtered = Boolean(search.kind ?? search.ended);
  return (
    <div className="mx-auto flex max-w-3xl flex-col gap-4">
      <PageHead title={t('exceptions.title')} />
      <div className="grid grid-cols-2 gap-3 sm:max-w-md">
        <Field label={t('exceptions.kind')} required>
          {(props) => (
            <Select
              {...props}
              value={search.kind ?? ''}
              empty={t('exceptions.all')}
              options={ATTENTION_KINDS.map((kind) => ({ value: kind, label: t(`exceptions.kinds.${kind}`) }))}
              onChange={(event) =>
                void navigate({
                  search: (before) => ({
                    ...before,
                    kind: ATTENTION_KINDS.find((kind) => kind === event.target.value),
                  }),
                  replace: true,
                })
              }
            />
          )}
        </Field>
        <Field label={t('exceptions.show')} required>
          {(props) => (
            <Select
              {...props}
              value={search.ended ?? 'false'}
              options={[
                { value: 'false', label: t('exceptions.open') },
                { value: 'true', label: t('exceptions.past') },
                { value: 'all', label: t('exceptions.all') },
              ]}
              onChange={({ target: { value } }) =>
                void navigate({
                  search: (before) => ({ ...before, ended: value === 'true' || value === 'all' ? value : undefined }),
                  replace: true,
                })
              }
            />
          )}
        </Field>
      </div>
      <Card flush>
        <Await query={exceptions}>
          {({ pages }) => (
            <>
              {pages[0]?.items.length === 0 && (
                <Empty title={filtered ? t('exceptions.noneEver') : t('exceptions.none')} />
              )}
              <ul className="divide-y divide-line">
                {pages
                  .flatMap((page) => page.items)
                  .map((row) => (
                    <ExceptionLine key={row.id} row={row} />
                  ))}
              </ul>
              <MoreButton query={exceptions} />
            </>
          )}
        </Await>
      </Card>
    </div>
  );
}

function ExceptionLine({ row }: { row: Exception }) {
  const { t } = useTranslation('app');
  return (
    <li className="flex flex-col gap-1 px-4 py-3">
      <div className="flex flex-wrap items-center justify-between gap-2">
        <Link to="/trackers/$id" params={{ id: row.tracker_id }} className="font-medium break-words hover:underline">
          {row.tracker_name}
        </Link>
        <Badge tone={row.ended_at ? 'neutral' : 'warning'}>{t(`exceptions.kinds.${row.kind}`)}</Badge>
      </div>
      <ExceptionText row={row} />
    </li>
  );
}

/** What is wrong and since when, in a sentence. */
export function ExceptionText({ row }: { row: Exception }) {
  const { t } = useTranslation('app');
  const place = row.location_name ?? t('tracker.sentence.unknownPlace');
  return (
    <p className="text-muted">
      {t(`exceptions.text.${row.kind}`, { place })}, <Time value={row.since} exact />
      {row.ended_at && (
        <>
          {' – '}
          <Time value={row.ended_at} exact />
        </>
      )}
    </p>
  );
}
