// The same act on many rows: a few at a time, with progress, and with the reasons of those that failed.
import { asText } from './asText';
import { request } from '@tracker/shared/api/client.ts';
import { errorText } from '@tracker/shared/api/errorText.ts';
import { Button } from '@tracker/shared/ui/Button.tsx';
import { confirm } from '@tracker/shared/ui/confirm.tsx';
import { Dialog } from '@tracker/shared/ui/Dialog.tsx';
import { Select } from '@tracker/shared/ui/Input.tsx';
import { Field } from '@tracker/shared/ui/Field.tsx';
import { toast } from '@tracker/shared/ui/toast.tsx';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { FieldControl } from './FieldControl';
import { fromFormValue, toFormValue, type FormValue } from './formValues';
import { listPath, rowTitle, type ResourceSpec, type Row } from './spec';

const AT_ONCE = 4;

interface Outcome {
  failed: { row: Row; reason: string }[];
}

/** Runs `act` for every row, AT_ONCE at a time; a failure does not stop the others. */
export async function forEachRow(
  rows: Row[],
  act: (row: Row) => Promise<unknown>,
  progress: (done: number) => void,
): Promise<Outcome> {
  const outcome: Outcome = { failed: [] };
  let next = 0;
  let done = 0;
  const work = async () => {
    for (let row = rows[next++]; row !== undefined; row = rows[next++]) {
      try {
        await act(row);
      } catch (error) {
        outcome.failed.push({ row, reason: errorText(error) });
      }
      progress(++done);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return outcome;
}

interface BulkBarProps {
  spec: ResourceSpec;
  rows: Row[];
  onClear: () => void;
  onDone: (failed: Row[]) => void;
}

export function BulkBar({ spec, rows, onClear, onDone }: BulkBarProps) {
  const { t } = useTranslation(['admin', 'shared']);
  const [done, setDone] = useState<number>();
  const [failed, setFailed] = useState<Outcome['failed']>([]);
  const [editing, setEditing] = useState(false);
  const fields = spec.fields.filter((field) => field.bulk);

  const run = async (act: (row: Row) => Promise<unknown>) => {
    setDone(0);
    const outcome = await forEachRow(rows, act, setDone);
    setDone(undefined);
    setFailed(outcome.failed);
    if (outcome.failed.length < rows.length)
      toast.success(t('bulk.done', { count: rows.length - outcome.failed.length }));
    onDone(outcome.failed.map(({ row }) => row));
  };
  const ask = async (verb: 'archive' | 'restore' | 'delete') => {
    const names = rows.slice(0, 5).map((row) => rowTitle(spec, row));
    const more = rows.length > names.length ? ` … +${rows.length - names.length}` : '';
    const sure = await confirm({
      title: t(`bulk.${verb}`, { count: rows.length }),
      text: names.join(', ') + more,
      act: t(`shared:action.${verb}`),
      danger: verb === 'delete',
    });
    const path = (row: Row) => `${listPath(spec)}/${row.id}`;
    if (sure)
      await run((row) => (verb === 'delete' ? request('DELETE', path(row)) : request('POST', `${path(row)}/${verb}`)));
  };
  const archived = rows.every((row) => row.archived_at);

  return (
    <div className="flex flex-wrap items-center gap-2 border-b border-line bg-info-soft px-3 py-2">
      <p role="status" className="font-medium">
        {done === undefined
          ? t('shared:table.selected', { count: rows.length })
          : t('bulk.progress', { done, count: rows.length })}
      </p>
      {fields.length > 0 && (
        <Button small disabled={done !== undefined} onClick={() => setEditing(true)}>
          {t('shared:action.edit')}
        </Button>
      )}
      {spec.can.archive && (
        <Button small disabled={done !== undefined} onClick={() => void ask(archived ? 'restore' : 'archive')}>
          {t(archived ? 'shared:action.restore' : 'shared:action.archive')}
        </Button>
      )}
      {spec.can.delete && (
        <Button small disabled={done !== undefined} onClick={() => void ask('delete')}>
          {t('shared:action.delete')}
        </Button>
      )}
      <Button small variant="quiet" onClick={onClear}>
        {t('shared:table.clearSelection')}
      </Button>
      {editing && (
        <BulkEdit
          spec={spec}
          rows={rows}
          onClose={() => setEditing(false)}
          onApply={(body) => {
            setEditing(false);
            void run((row) => request('PATCH', `${listPath(spec)}/${row.id}`, body));
          }}
        />
      )}
      {failed.length > 0 && (
        <Dialog open title={t('bulk.failed', { count: failed.length })} onClose={() => setFailed([])}>
          <ul className="flex flex-col gap-1">
            {failed.map(({ row, reason }) => (
              <li key={row.id}>
                <span className="font-medium">{rowTitle(spec, row)}</span>: {reason}
              </li>
            ))}
          </ul>
        </Dialog>
      )}
    </div>
  );
}

interface BulkEditProps {
  spec: ResourceSpec;
  rows: Row[];
  onApply: (body: Record<string, unknown>) => void;
  onClose: () => void;
}

function BulkEdit({ spec, rows, onApply, onClose }: BulkEditProps) {
  const { t } = useTranslation(['admin', 'shared']);
  const fields = spec.fields.filter((field) => field.bulk);
  const [name, setName] = useState<string>(fields[0]?.name ?? '');
  const field = fields.find((each) => each.name === name);
  const [value, setValue] = useState<FormValue>(field ? toFormValue(field, undefined) : '');
  if (!field) return null;
  // References offered must fit every row: those of their client, when it is one.
  const owners = new Set(rows.map((row) => (field.within ? row[field.within] : undefined)));
  const owner = field.within && owners.size === 1 ? [...owners][0] : undefined;
  const filter = field.within && owner ? { filter: { [field.within]: asText(owner) } } : {};
  return (
    <Dialog
      open
      title={t('bulk.edit', { count: rows.length })}
      onClose={onClose}
      footer={
        <>
          <Button onClick={onClose}>{t('shared:action.cancel')}</Button>
          <Button variant="primary" onClick={() => onApply({ [field.name]: fromFormValue(field, value) })}>
            {t('shared:action.apply')}
          </Button>
        </>
      }
    >
      <Field label={t('bulk.field')} required>
        {(control) => (
          <Select
            {...control}
            value={name}
            options={fields.map((each) => ({ value: each.name, label: t(`field.${each.name}`) }))}
            onChange={(event) => {
              const next = fields.find((each) => each.name === event.target.value);
              setName(event.target.value);
              if (next) setValue(toFormValue(next, undefined));
            }}
          />
        )}
      </Field>
      <FieldControl field={field} value={value} onChange={setValue} {...filter} />
    </Dialog>
  );
}
