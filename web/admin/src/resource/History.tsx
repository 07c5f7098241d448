// Who changed a row, when, and what: from the audit log.
import { api, call } from '@tracker/shared/api/client.ts';
import type { AuditEntry } from '@tracker/shared/api/schema.d.ts';
import { Card } from '@tracker/shared/ui/Card.tsx';
import { Badge } from '@tracker/shared/ui/Badge.tsx';
import { Await, Empty } from '@tracker/shared/ui/states.tsx';
import { Time } from '@tracker/shared/ui/Time.tsx';
import { useQuery } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import type en from '../i18n/en';
import { plainText, useWord } from './cells';
import { RefLink, useNames } from './names';
import type { FieldSpec, ResourceSpec } from './spec';

const SHOWN = 100;
const who: FieldSpec = { name: 'user_id', kind: 'ref', ref: ['users'] };
/** Changes with every write and tells nothing. */
const NOISE = new Set(['updated_at']);

export function History({ spec, id }: { spec: ResourceSpec; id: number }) {
  const entries = useQuery({
    queryKey: ['/api/v1/audit-log', spec.name, id],
    queryFn: ({ signal }) => {
      const query = { resource: spec.name, resource_id: String(id), sort: '-id' as const, limit: SHOWN };
      return call(api.GET('/api/v1/audit-log', { params: { query }, signal }));
    },
  });
  return (
    <Card>
      <Await query={entries}>
        {(page) => (page.items.length === 0 ? <Empty /> : <Entries entries={page.items} />)}
      </Await>
    </Card>
  );
}

function Entries({ entries }: { entries: AuditEntry[] }) {
  const { t } = useTranslation('admin');
  const names = useNames([who], entries);
  const word = useWord();
  return (
    <ol className="flex flex-col divide-y divide-line">
      {entries.map((entry) => (
        <li key={entry.id} className="flex flex-col gap-1 py-3 first:pt-0 last:pb-0">
          <div className="flex flex-wrap items-center gap-2">
            <Badge>{word(entry.action)}</Badge>
            <Time value={entry.at} exact />
            <span>
              {entry.user_id === null ? (
                t('audit.system')
              ) : (
                <RefLink resources={['users']} id={entry.user_id} names={names} />
              )}
            </span>
            {entry.api_key_id !== null && (
              <span className="text-muted">{t('audit.byKey', { id: entry.api_key_id })}</span>
            )}
          </div>
          <Changes before={entry.before} after={entry.after} />
        </li>
      ))}
    </ol>
  );
}

type Values = Record<string, unknown> | null | undefined;

/** The fields that differ, in the order of the row. */
export function differences(before: Values, after: Values): { name: string; before: unknown; after: unknown }[] {
  const names = new Set([...Object.keys(before ?? {}), ...Object.keys(after ?? {})]);
  return [...names]
    .filter((name) => !NOISE.has(name) && JSON.stringify(before?.[name]) !== JSON.stringify(after?.[name]))
    .map((name) => ({ name, before: before?.[name], after: after?.[name] }));
}

export function Changes({ before, after }: { before: Values; after: Values }) {
  const { t, i18n } = useTranslation('admin');
  // A new or a deleted row differs in everything: only what has a value is worth a line.
  const changes = differences(before, after).filter((change) => plainText(change.before) || plainText(change.after));
  const label = (name: string) =>
    i18n.exists(`admin:field.${name}`) ? t(`field.${name as keyof typeof en.field}`) : name;
  return (
    <dl className="flex flex-col gap-0.5">
      {changes.map((change) => (
        <div key={change.name} className="flex flex-wrap gap-x-2">
          <dt className="text-muted">{label(change.name)}:</dt>
          <dd className="min-w-0 break-words">
            {plainText(change.before) && <del className="text-muted">{plainText(change.before)}</del>}{' '}
            <ins className="no-underline">{plainText(change.after)}</ins>
          </dd>
        </div>
      ))}
    </dl>
  );
}
