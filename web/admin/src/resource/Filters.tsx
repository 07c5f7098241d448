// The filters of a list, made from the fields that the API can filter by; each is shown once it is set or added.
import { Button, IconButton } from '@tracker/shared/ui/Button.tsx';
import { controlClass, Input, Select } from '@tracker/shared/ui/Input.tsx';
import { Menu, MenuItem } from '@tracker/shared/ui/Menu.tsx';
import type { TableStateHandle } from '@tracker/shared/table/tableState.ts';
import { ListFilter, X } from 'lucide-react';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useWord } from './cells';
import { fromLocalInput, toLocalInput } from './formValues';
import { RefPicker } from './RefPicker';
import type { FieldSpec } from './spec';

/** The API's parameters that a field is filtered by. */
export function filterNames(field: FieldSpec): string[] {
  if (field.kind !== 'time') return [field.name];
  const prefix = field.range ?? `${field.name}_`;
  return [`${prefix}from`, `${prefix}to`];
}

interface FiltersProps {
  fields: FieldSpec[];
  table: TableStateHandle;
  /** What the page itself filters by and the reader cannot change. */
  fixed: Record<string, string>;
}

export function useFilters({ fields, table, fixed }: FiltersProps) {
  const usable = fields.filter((field) => field.filter && !filterNames(field).some((name) => name in fixed));
  const [added, setAdded] = useState<string[]>([]);
  const isSet = (field: FieldSpec) => filterNames(field).some((name) => table.state.filters[name]);
  const shown = usable.filter((field) => isSet(field) || added.includes(field.name));
  const rest = usable.filter((field) => !shown.includes(field));
  const drop = (names: string[]) => {
    const filters = Object.fromEntries(Object.entries(table.state.filters).filter(([name]) => !names.includes(name)));
    table.change({ filters });
  };
  return {
    shown,
    rest,
    add: (field: FieldSpec) => setAdded([...added, field.name]),
    remove: (field: FieldSpec) => {
      setAdded(added.filter((name) => name !== field.name));
      drop(filterNames(field));
    },
    clear: () => {
      setAdded([]);
      drop(Object.keys(table.state.filters));
    },
  };
}

type Handle = ReturnType<typeof useFilters>;

export function AddFilter({ filters }: { filters: Handle }) {
  const { t } = useTranslation(['admin', 'shared']);
  if (filters.rest.length === 0) return null;
  return (
    <Menu
      align="start"
      trigger={
        <Button small>
          <ListFilter aria-hidden className="size-4" />
          {t('shared:table.addFilter')}
        </Button>
      }
    >
      {filters.rest.map((field) => (
        <MenuItem key={field.name} onSelect={() => filters.add(field)}>
          {t(`field.${field.name}`)}
        </MenuItem>
      ))}
    </Menu>
  );
}

export function FilterBar({ filters, table }: { filters: Handle; table: TableStateHandle }) {
  const { t } = useTranslation(['admin', 'shared']);
  if (filters.shown.length === 0) return null;
  return (
    <div className="flex flex-wrap items-end gap-3 border-b border-line px-3 py-2">
      {filters.shown.map((field) => (
        <div key={field.name} role="group" aria-label={t(`field.${field.name}`)} className="flex items-end gap-1">
          <div className="flex flex-col gap-0.5">
            <span aria-hidden className="text-xs text-muted">
              {t(`field.${field.name}`)}
            </span>
            <FilterControl field={field} table={table} />
          </div>
          <IconButton
            label={`${t('shared:action.remove')}: ${t(`field.${field.name}`)}`}
            icon={<X aria-hidden className="size-4" />}
            onClick={() => filters.remove(field)}
          />
        </div>
      ))}
      <Button small variant="quiet" onClick={filters.clear}>
        {t('shared:table.clearFilters')}
      </Button>
    </div>
  );
}

function FilterControl({ field, table }: { field: FieldSpec; table: TableStateHandle }) {
  const { t } = useTranslation(['admin', 'shared']);
  const word = useWord();
  const label = t(`field.${field.name}`);
  const { filters } = table.state;
  const set = (name: string, value: string) => table.change({ filters: { ...filters, [name]: value } });
  const value = filters[field.name] ?? '';
  switch (field.kind) {
    case 'ref':
    case 'refs':
      return (
        <div className="w-52">
          <RefPicker
            label={label}
            resources={field.ref ?? []}
            value={/^\d+$/.test(value) ? Number(value) : undefined}
            onChange={(id) => set(field.name, id === undefined ? '' : String(id))}
          />
        </div>
      );
    case 'enum':
    case 'status':
      return (
        <Select
          aria-label={label}
          className="w-44"
          value={value}
          empty={t('shared:field.any')}
          options={(field.words ?? []).map((each) => ({ value: each, label: word(each) }))}
          onChange={(event) => set(field.name, event.target.value)}
        />
      );
    case 'bool':
      return (
        <Select
          aria-label={label}
          className="w-32"
          value={value}
          empty={t('shared:field.any')}
          options={[
            { value: 'true', label: t('shared:field.yes') },
            { value: 'false', label: t('shared:field.no') },
          ]}
          onChange={(event) => set(field.name, event.target.value)}
        />
      );
    case 'time':
      return (
        <div className="flex flex-wrap items-center gap-1">
          {(['from', 'to'] as const).map((bound) => {
            const name = filterNames(field)[bound === 'from' ? 0 : 1] ?? '';
            const time = filters[name];
            return (
              <input
                key={bound}
                type="datetime-local"
                aria-label={`${label}: ${t(`shared:table.${bound}`)}`}
                className={`${controlClass} w-auto`}
                value={time ? toLocalInput(time) : ''}
                onChange={(event) => set(name, event.target.value ? fromLocalInput(event.target.value) : '')}
              />
            );
          })}
        </div>
      );
    default:
      return <TextFilter key={value} label={label} value={value} onChange={(text) => set(field.name, text)} />;
  }
}

/** Applied when left or with Enter: a half-typed address would only be refused. */
function TextFilter({ label, value, onChange }: { label: string; value: string; onChange: (text: string) => void }) {
  const [typed, setTyped] = useState(value);
  return (
    <Input
      aria-label={label}
      className="w-44"
      value={typed}
      onChange={(event) => setTyped(event.target.value)}
      onBlur={() => typed !== value && onChange(typed.trim())}
      onKeyDown={(event) => event.key === 'Enter' && onChange(typed.trim())}
    />
  );
}
