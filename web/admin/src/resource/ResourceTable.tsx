// The list of a resource: search, filters, columns, sorting, selection with bulk acts, export. On a page of its own or inside another.
import { request } from '@tracker/shared/api/client.ts';
import { useUser } from '@tracker/shared/session/useSession.ts';
import { DataTable } from '@tracker/shared/table/DataTable.tsx';
import { Pager } from '@tracker/shared/table/Pager.tsx';
import { queryOfState, type TableStateHandle } from '@tracker/shared/table/tableState.ts';
import { Button } from '@tracker/shared/ui/Button.tsx';
import { Input, Select } from '@tracker/shared/ui/Input.tsx';
import { Menu, MenuCheck } from '@tracker/shared/ui/Menu.tsx';
import { Empty, Failure, Loading } from '@tracker/shared/ui/states.tsx';
import { toast } from '@tracker/shared/ui/toast.tsx';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import type { ColumnDef } from '@tanstack/react-table';
import { Columns3, Download } from 'lucide-react';
import { useEffect, useMemo, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { BulkBar } from './bulk';
import { Value } from './cells';
import { EXPORT_MAX, exportRows } from './exportRows';
import { AddFilter, FilterBar, useFilters } from './Filters';
import { useNames, type Names } from './names';
import { listPath, mayWrite, rowTitle, type FieldSpec, type ResourceSpec, type Row } from './spec';

interface Page {
  items: Row[];
  next_cursor: string | null;
  total?: number;
}

interface ResourceTableProps {
  spec: ResourceSpec;
  table: TableStateHandle;
  /** The page's own filters: { brand_id: '7' }. Their columns are left out. */
  fixed?: Record<string, string>;
}

const NO_FILTERS: Record<string, string> = {};
const NUMERIC = new Set(['number']);

export function ResourceTable({ spec, table, fixed = NO_FILTERS }: ResourceTableProps) {
  const { t } = useTranslation(['admin', 'shared']);
  const user = useUser();
  const [selected, setSelected] = useState<Set<number>>(new Set());
  const { state, change } = table;
  const query = queryOfState({ ...state, sort: state.sort || (spec.sort ?? '') }, fixed);
  const list = useQuery({
    queryKey: [listPath(spec), 'list', query],
    placeholderData: keepPreviousData,
    queryFn: async () => {
      const params = new URLSearchParams({ ...query, ...(spec.counted === false ? {} : { count: 'true' }) });
      return (await request<Page>('GET', `${listPath(spec)}?${params}`)).data;
    },
  });
  const rows = useMemo(() => list.data?.items ?? [], [list.data]);
  const offered = useMemo(() => spec.fields.filter((field) => field.column && !(field.name in fixed)), [spec, fixed]);
  const shown = useMemo(() => shownFields(offered, state.columns), [offered, state.columns]);
  const names = useNames(shown, rows);
  const columns = useColumns(spec, shown, names);
  const filters = useFilters({ fields: spec.fields, table, fixed });
  const writable =
    mayWrite(user, spec) && (spec.can.archive || spec.can.delete || spec.fields.some((field) => field.bulk));
  const chosen = rows.filter((row) => selected.has(row.id));
  const filtered = state.q !== '' || Object.values(state.filters).some(Boolean);

  return (
    <>
      <div className="flex flex-wrap items-center gap-2 border-b border-line px-3 py-2">
        {spec.search !== false && <SearchField table={table} label={t('shared:action.search')} />}
        <AddFilter filters={filters} />
        {spec.can.archive && (
          <Select
            aria-label={t('shared:table.showArchived')}
            className="min-h-8 w-36"
            value={state.archived}
            empty={t('shared:table.archivedNo')}
            options={[
              { value: 'true', label: t('shared:table.archivedOnly') },
              { value: 'all', label: t('shared:table.archivedAll') },
            ]}
            onChange={(event) => change({ archived: event.target.value as '' | 'true' | 'all' })}
          />
        )}
        <div className="flex-1" />
        <ColumnMenu offered={offered} shown={shown} table={table} />
        <ExportButton spec={spec} query={query} fields={shown} />
      </div>
      <FilterBar filters={filters} table={table} />
      {chosen.length > 0 && (
        <BulkBar
          spec={spec}
          rows={chosen}
          onClear={() => setSelected(new Set())}
          onDone={(failed) => {
            setSelected(new Set(failed.map((row) => row.id)));
            void list.refetch();
          }}
        />
      )}
      {list.isPending ? (
        <Loading />
      ) : list.error && !list.data ? (
        <Failure error={list.error} onRetry={() => void list.refetch()} />
      ) : rows.length === 0 ? (
        <Empty title={filtered ? t('shared:state.emptyFiltered') : t('shared:state.empty')} />
      ) : (
        <DataTable
          label={t(`resource.${spec.name}.many`)}
          rows={rows}
          columns={columns}
          rowId={(row) => row.id}
          rowName={(row) => rowTitle(spec, row)}
          sort={state.sort || (spec.sort ?? '')}
          onSort={(sort) => change({ sort })}
          selection={writable ? { ids: selected, change: setSelected } : undefined}
          stale={list.isPlaceholderData}
        />
      )}
      <Pager table={table} shown={rows.length} total={list.data?.total} nextCursor={list.data?.next_cursor ?? null} />
    </>
  );
}

function shownFields(offered: FieldSpec[], chosen: string[] | undefined): FieldSpec[] {
  if (!chosen) return offered.filter((field) => field.column === true);
  return offered.filter((field) => chosen.includes(field.name));
}

function useColumns(spec: ResourceSpec, shown: FieldSpec[], names: Names): ColumnDef<Row, unknown>[] {
  const { t } = useTranslation('admin');
  return useMemo(
    () =>
      shown.map((field, index): ColumnDef<Row, unknown> => {
        const first = index === 0 && !spec.listOnly;
        return {
          id: field.name,
          meta: {
            label: t(`field.${field.name}`),
            sort: field.sort ? field.name : undefined,
            numeric: NUMERIC.has(field.kind),
          },
          cell: ({ row }) =>
            first ? (
              <Link
                to={`/${spec.name}/$id` as never}
                params={{ id: String(row.original.id) } as never}
                className="font-medium text-link hover:underline"
              >
                {rowTitle(spec, row.original)}
              </Link>
            ) : (
              <Value field={field} value={row.original[field.name]} names={names} compact />
            ),
        };
      }),
    [shown, spec, names, t],
  );
}

/** The list follows what is typed, after a short pause. */
const TYPING_MS = 300;

function SearchField({ table, label }: { table: TableStateHandle; label: string }) {
  const [typed, setTyped] = useState(table.state.q);
  const { change } = table;
  const current = table.state.q;
  useEffect(() => {
    if (typed === current) return;
    const timer = setTimeout(() => change({ q: typed }), TYPING_MS);
    return () => clearTimeout(timer);
  }, [typed, current, change]);
  return (
    <Input
      type="search"
      aria-label={label}
      placeholder={label}
      className="min-h-8 w-56 max-w-full"
      value={typed}
      onChange={(event) => setTyped(event.target.value)}
    />
  );
}

function ColumnMenu({ offered, shown, table }: { offered: FieldSpec[]; shown: FieldSpec[]; table: TableStateHandle }) {
  const { t } = useTranslation(['admin', 'shared']);
  const toggle = (field: FieldSpec, on: boolean) => {
    const next = offered.filter((each) => (each === field ? on : shown.includes(each)));
    table.change({ columns: next.map((each) => each.name) });
  };
  return (
    <Menu
      trigger={
        <Button small>
          <Columns3 aria-hidden className="size-4" />
          <span className="max-sm:sr-only">{t('shared:table.columns')}</span>
        </Button>
      }
    >
      {offered.map((field, index) => (
        <MenuCheck key={field.name} checked={shown.includes(field)} onChange={(on) => index > 0 && toggle(field, on)}>
          {t(`field.${field.name}`)}
        </MenuCheck>
      ))}
    </Menu>
  );
}

function ExportButton({
  spec,
  query,
  fields,
}: {
  spec: ResourceSpec;
  query: Record<string, string>;
  fields: FieldSpec[];
}) {
  const { t } = useTranslation(['admin', 'shared']);
  const [count, setCount] = useState<number>();
  const run = async () => {
    setCount(0);
    try {
      const all: FieldSpec[] = [{ name: 'id', kind: 'number' }, ...fields];
      const rows = await exportRows(
        listPath(spec),
        query,
        all,
        all.map((field) => field.name),
        setCount,
      );
      if (rows >= EXPORT_MAX) toast.info(t('shared:table.exportLimit', { count: rows }));
      else toast.success(t('shared:table.exported', { count: rows }));
    } catch (error) {
      toast.error(error);
    }
    setCount(undefined);
  };
  return (
    <Button small busy={count !== undefined} onClick={() => void run()}>
      {count === undefined && <Download aria-hidden className="size-4" />}
      <span className="max-sm:sr-only">
        {count ? t('shared:table.exporting', { count }) : t('shared:table.export')}
      </span>
    </Button>
  );
}
