// The filters of the trackers' page. Choices that must be asked for are asked for when the panel is opened.
import { Button } from '@tracker/shared/ui/Button.tsx';
import { Field } from '@tracker/shared/ui/Field.tsx';
import { Input, Select } from '@tracker/shared/ui/Input.tsx';
import { statuses } from '@tracker/shared/ui/Badge.tsx';
import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { SlidersHorizontal } from 'lucide-react';
import { useEffect, useEffectEvent, useId, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { runQuery, runsQuery } from '../common/queries';
import { batteries, isFiltered, sortNames, type TrackersSearch } from './search';

interface FilterBarProps {
  search: TrackersSearch;
  onChange: (change: Partial<TrackersSearch>) => void;
}

/** Typing asks the server once the reader pauses. */
const TYPING_MS = 300;

export function FilterBar({ search, onChange }: FilterBarProps) {
  const { t } = useTranslation('app');
  const panel = useId();
  const [open, setOpen] = useState(isFiltered({ ...search, q: undefined }));
  return (
    <search className="flex flex-col gap-3">
      <div className="flex gap-2">
        <SearchBox value={search.q ?? ''} onChange={(q) => onChange({ q: q || undefined })} />
        <Button aria-expanded={open} aria-controls={panel} onClick={() => setOpen(!open)}>
          <SlidersHorizontal aria-hidden className="size-4" />
          <span className="max-sm:sr-only">{t('filter.label')}</span>
        </Button>
      </div>
      <div id={panel} hidden={!open}>
        {open && <Panel search={search} onChange={onChange} />}
      </div>
    </search>
  );
}

function SearchBox({ value, onChange }: { value: string; onChange: (value: string) => void }) {
  const { t } = useTranslation('app');
  const [text, setText] = useState(value);
  const [seen, setSeen] = useState(value);
  // The address changed otherwise: a link, the back button, “clear”.
  if (value !== seen) {
    setSeen(value);
    setText(value);
  }
  const send = useEffectEvent(() => text.trim() !== value && onChange(text.trim()));
  useEffect(() => {
    const timer = setTimeout(() => send(), TYPING_MS);
    return () => clearTimeout(timer);
  }, [text]);
  return (
    <Input
      type="search"
      aria-label={t('filter.search')}
      placeholder={t('filter.search')}
      value={text}
      maxLength={200}
      onChange={(event) => setText(event.target.value)}
    />
  );
}

function Panel({ search, onChange }: FilterBarProps) {
  const { t } = useTranslation(['app', 'shared']);
  const runs = useInfiniteQuery(runsQuery({ limit: 500, sort: 'name' }));
  const chosen = useQuery({ ...runQuery(search.run ?? 0), enabled: search.run !== undefined });
  const listed = runs.data?.pages[0]?.items ?? [];
  const missing = chosen.data && listed.every((run) => run.id !== search.run) ? [chosen.data] : [];
  return (
    <div className="grid grid-cols-2 gap-3">
      <Field label={t('filter.status')} required>
        {(props) => (
          <Select
            {...props}
            value={search.status ?? ''}
            empty={t('filter.all')}
            options={statuses.map((status) => ({ value: status, label: t(`shared:status.${status}`) }))}
            onChange={({ target: { value } }) => onChange({ status: statuses.find((status) => status === value) })}
          />
        )}
      </Field>
      <Field label={t('filter.battery')} required>
        {(props) => (
          <Select
            {...props}
            value={search.battery ?? ''}
            empty={t('filter.all')}
            options={batteries.map((battery) => ({ value: battery, label: t(`shared:battery.${battery}`) }))}
            onChange={({ target: { value } }) => onChange({ battery: batteries.find((battery) => battery === value) })}
          />
        )}
      </Field>
      <Field label={t('filter.run')} required>
        {(props) => (
          <Select
            {...props}
            value={String(search.run ?? '')}
            empty={t('filter.all')}
            options={[...missing, ...listed].map((run) => ({ value: String(run.id), label: run.name }))}
            onChange={({ target: { value } }) => onChange({ run: value ? Number(value) : undefined })}
          />
        )}
      </Field>
      <Field label={t('filter.sort')} required>
        {(props) => (
          <Select
            {...props}
            value={search.sort ?? 'name'}
            options={sortNames.map((sort) => ({ value: sort, label: t(`filter.sorts.${sort}`) }))}
            onChange={({ target: { value } }) =>
              onChange({ sort: value === 'name' ? undefined : sortNames.find((sort) => sort === value) })
            }
          />
        )}
      </Field>
      {isFiltered(search) && (
        <Button
          small
          className="col-span-2 justify-self-start"
          onClick={() => onChange({ q: undefined, status: undefined, battery: undefined, run: undefined })}
        >
          {t('filter.clear')}
        </Button>
      )}
    </div>
  );
}
