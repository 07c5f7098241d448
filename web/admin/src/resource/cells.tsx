// How a value looks, by the kind of its field.
import { asText } from './asText';
import { formatNumber, formatPosition, formatTime } from '@tracker/shared/i18n/format.ts';
import { StatusBadge, type Status } from '@tracker/shared/ui/Badge.tsx';
import { Time } from '@tracker/shared/ui/Time.tsx';
import { useTranslation } from 'react-i18next';
import type en from '../i18n/en';
import { RefLink, type Names } from './names';
import type { FieldSpec } from './spec';

interface ValueProps {
  field: FieldSpec;
  value: unknown;
  names: Names;
  /** In a table cell, where long things are cut. */
  compact?: boolean;
}

export function useWord(): (word: string) => string {
  const { t, i18n } = useTranslation('admin');
  return (word) => (i18n.exists(`admin:enum.${word}`) ? t(`enum.${word as keyof typeof en.enum}`) : word);
}

export function Value({ field, value, names, compact }: ValueProps) {
  const { t } = useTranslation('shared');
  const word = useWord();
  if (value === null || value === undefined || value === '') return <span className="text-muted">–</span>;
  switch (field.kind) {
    case 'time':
      return <Time value={value as string} exact={!compact || field.planned} />;
    case 'status':
      return <StatusBadge status={value as Status} />;
    case 'enum':
      return word(asText(value));
    case 'bool':
      return value ? t('field.yes') : t('field.no');
    case 'number':
      return formatNumber(value as number, 2);
    case 'position':
      return formatPosition(value as { latitude: number; longitude: number });
    case 'ref':
      return <RefLink resources={field.ref ?? []} id={value as number} names={names} />;
    case 'refs':
      return <RefList field={field} ids={value as number[]} names={names} />;
    case 'words':
      return (value as string[]).join(', ');
    case 'json':
      return compact ? <>…</> : <pre className="overflow-x-auto text-xs">{JSON.stringify(value, null, 2)}</pre>;
    case 'text':
    case 'email':
    case 'password':
    case 'longtext':
      return <span className={compact ? undefined : 'break-words whitespace-pre-line'}>{asText(value)}</span>;
  }
}

const LISTED = 3;

function RefList({ field, ids, names }: { field: FieldSpec; ids: number[]; names: Names }) {
  return (
    <span className="inline-flex flex-wrap gap-x-2 leading-6">
      {ids.slice(0, LISTED).map((id) => (
        <RefLink key={id} resources={field.ref ?? []} id={id} names={names} />
      ))}
      {ids.length > LISTED && <span className="text-muted">+{ids.length - LISTED}</span>}
      {ids.length === 0 && <span className="text-muted">–</span>}
    </span>
  );
}

/** A value as text: for CSV files and the history. */
export function plainText(value: unknown): string {
  if (value === null || value === undefined) return '';
  if (typeof value === 'string') return /^\d{4}-\d\d-\d\dT/.test(value) ? formatTime(value) : value;
  return JSON.stringify(value);
}
