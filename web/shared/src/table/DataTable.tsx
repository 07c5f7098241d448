// A table of rows: sorting by its heads, selection, keyboard, and only the visible rows in the document when there are many.
//
// Keys on a row's link: up and down move, Home and End jump, Space selects, Shift with a click selects a range.
import { getCoreRowModel, useReactTable, type Cell, type ColumnDef, type RowData } from '@tanstack/react-table';
import { useVirtualizer } from '@tanstack/react-virtual';
import { ArrowDown, ArrowUp, ChevronsUpDown } from 'lucide-react';
import { useRef, type KeyboardEvent, type MouseEvent, type ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { cn } from '../ui/cn';
import { Checkbox } from '../ui/Input';

declare module '@tanstack/react-table' {
  // The parameters must be those of the declaration that is extended.
  // eslint-disable-next-line @typescript-eslint/no-unused-vars
  interface ColumnMeta<TData extends RowData, TValue> {
    label: string;
    /** The API's name for sorting; absent where it cannot sort. */
    sort?: string | undefined;
    numeric?: boolean | undefined;
  }
}

export interface Selection {
  ids: ReadonlySet<number>;
  change: (ids: Set<number>) => void;
}

interface DataTableProps<Row> {
  label: string;
  rows: Row[];
  columns: ColumnDef<Row, unknown>[];
  rowId: (row: Row) => number;
  rowName: (row: Row) => string;
  sort?: string;
  onSort?: (sort: string) => void;
  selection?: Selection | undefined;
  /** Old rows are shown while new ones load. */
  stale?: boolean;
}

const ROW_HEIGHT = 41;
/** Below this all rows are in the document: the browser's own search finds them. */
const VIRTUAL_FROM = 100;
const OVERSCAN = 12;

export function DataTable<Row>(props: DataTableProps<Row>) {
  const { label, rows, columns, rowId, stale } = props;
  const scroller = useRef<HTMLDivElement>(null);
  const table = useReactTable({
    data: rows,
    columns,
    getRowId: (row) => String(rowId(row)),
    getCoreRowModel: getCoreRowModel(),
    manualSorting: true,
  });
  const all = table.getRowModel().rows;
  const virtual = all.length >= VIRTUAL_FROM;
  const virtualizer = useVirtualizer({
    count: virtual ? all.length : 0,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW_HEIGHT,
    overscan: OVERSCAN,
  });
  const items = virtualizer.getVirtualItems();
  const shown = virtual ? items.map((item) => all[item.index]).filter((row) => row !== undefined) : all;
  const before = items[0]?.start ?? 0;
  const after = virtual ? virtualizer.getTotalSize() - (items.at(-1)?.end ?? 0) : 0;
  const width = table.getVisibleLeafColumns().length + (props.selection ? 1 : 0);
  const moveTo = (index: number) => {
    if (virtual) virtualizer.scrollToIndex(index);
    // A row that is not in the document yet comes with the next frame.
    if (!focusRow(scroller.current, index)) requestAnimationFrame(() => focusRow(scroller.current, index));
  };

  return (
    <div
      ref={scroller}
      role="region"
      aria-label={label}
      tabIndex={0}
      className={cn('overflow-auto', virtual && 'max-h-[70dvh]')}
    >
      <table
        aria-busy={stale || undefined}
        aria-rowcount={all.length + 1}
        className={cn('w-full border-collapse', stale && 'opacity-60')}
      >
        <thead className="sticky top-0 z-10 bg-surface">
          {table.getHeaderGroups().map((group) => (
            <tr key={group.id} className="border-b border-line text-left">
              {props.selection && <SelectAll {...props} selection={props.selection} />}
              {group.headers.map(({ id, column }) => {
                const meta = column.columnDef.meta;
                return (
                  <Head
                    key={id}
                    label={meta?.label ?? id}
                    field={meta?.sort}
                    numeric={meta?.numeric}
                    sort={props.sort}
                    onSort={props.onSort}
                  />
                );
              })}
            </tr>
          ))}
        </thead>
        {/* Keys of the links in the rows bubble up to here. */}
        {/* eslint-disable-next-line jsx-a11y/no-noninteractive-element-interactions */}
        <tbody onKeyDown={(event) => onKey(event, all.length, moveTo, props)}>
          {before > 0 && <Space height={before} width={width} />}
          {shown.map((row) => (
            <tr
              key={row.id}
              data-index={row.index}
              aria-rowindex={row.index + 2}
              aria-selected={props.selection?.ids.has(rowId(row.original))}
              className="border-b border-line hover:bg-raised aria-selected:bg-info-soft"
            >
              {props.selection && <SelectRow {...props} selection={props.selection} index={row.index} />}
              {row.getVisibleCells().map((cell) => (
                <td
                  key={cell.id}
                  className={cn(
                    'max-w-96 truncate px-3 py-2',
                    cell.column.columnDef.meta?.numeric && 'text-right tabular-nums',
                  )}
                >
                  {drawCell(cell)}
                </td>
              ))}
            </tr>
          ))}
          {after > 0 && <Space height={after} width={width} />}
        </tbody>
      </table>
    </div>
  );
}

/**
 * Called, not mounted as flexRender does: a column's definition is made anew when names arrive, and a component of
 * another identity would be mounted anew, which loses the focus. `cell` may therefore use no hooks itself.
 */
function drawCell<Row>(cell: Cell<Row, unknown>): ReactNode {
  const draw = cell.column.columnDef.cell;
  return typeof draw === 'function' ? (draw(cell.getContext()) as ReactNode) : draw;
}

function Space({ height, width }: { height: number; width: number }) {
  return (
    <tr aria-hidden>
      <td style={{ height }} colSpan={width} />
    </tr>
  );
}

interface HeadProps {
  label: string;
  field: string | undefined;
  numeric: boolean | undefined;
  sort?: string | undefined;
  onSort?: ((sort: string) => void) | undefined;
}

function Head({ label, field, numeric, sort, onSort }: HeadProps) {
  const { t } = useTranslation('shared');
  const order =
    field === undefined ? undefined : sort === field ? 'ascending' : sort === `-${field}` ? 'descending' : 'none';
  const look = cn('px-3 py-2 font-medium whitespace-nowrap text-muted', numeric && 'text-right');
  if (field === undefined || !onSort) return <th className={look}>{label}</th>;
  const Icon = order === 'ascending' ? ArrowUp : order === 'descending' ? ArrowDown : ChevronsUpDown;
  const next = order === 'ascending' ? `-${field}` : field;
  const hint =
    order === 'ascending' ? t('table.sortDescending', { column: label }) : t('table.sortAscending', { column: label });
  return (
    <th aria-sort={order} className={look}>
      <button
        type="button"
        title={hint}
        onClick={() => onSort(next)}
        className="inline-flex items-center gap-1 hover:text-ink"
      >
        {label}
        <Icon aria-hidden className={cn('size-3.5', order === 'none' && 'opacity-50')} />
      </button>
    </th>
  );
}

type SelectProps<Row> = DataTableProps<Row> & { selection: Selection };

function SelectAll<Row>({ rows, rowId, selection }: SelectProps<Row>) {
  const { t } = useTranslation('shared');
  const chosen = rows.filter((row) => selection.ids.has(rowId(row))).length;
  return (
    <th className="w-10 px-3">
      <Checkbox
        label={t('table.selectAll')}
        hideLabel
        checked={rows.length > 0 && chosen === rows.length}
        ref={(box: HTMLInputElement | null) => {
          if (box) box.indeterminate = chosen > 0 && chosen < rows.length;
        }}
        onChange={(event) => selection.change(new Set(event.target.checked ? rows.map(rowId) : []))}
      />
    </th>
  );
}

/** Where the last single selection was made; a click with Shift selects from there. */
let anchor = 0;

function SelectRow<Row>({ rows, rowId, rowName, selection, index }: SelectProps<Row> & { index: number }) {
  const { t } = useTranslation('shared');
  const row = rows[index];
  if (row === undefined) return null;
  const select = (event: MouseEvent<HTMLInputElement>) => {
    const from = event.shiftKey ? Math.min(anchor, index) : index;
    const to = event.shiftKey ? Math.max(anchor, index) : index;
    toggle(selection, rows.slice(from, to + 1).map(rowId), event.currentTarget.checked);
    anchor = index;
  };
  return (
    <td className="w-10 px-3">
      <Checkbox
        label={t('table.selectRow', { name: rowName(row) })}
        hideLabel
        checked={selection.ids.has(rowId(row))}
        readOnly
        onClick={select}
      />
    </td>
  );
}

function toggle(selection: Selection, ids: number[], on: boolean): void {
  const next = new Set(selection.ids);
  for (const id of ids) {
    if (on) next.add(id);
    else next.delete(id);
  }
  selection.change(next);
}

/** The row's link, or else its first control. False when the row is not in the document. */
function focusRow(scroller: HTMLElement | null, index: number): boolean {
  const row = scroller?.querySelector<HTMLElement>(`tr[data-index="${index}"]`);
  const target = row?.querySelector<HTMLElement>('a') ?? row?.querySelector<HTMLElement>('button, input');
  target?.focus();
  return target !== undefined && target !== null;
}

function onKey<Row>(
  event: KeyboardEvent<HTMLElement>,
  count: number,
  moveTo: (index: number) => void,
  { rows, rowId, selection }: DataTableProps<Row>,
): void {
  const target = event.target as HTMLElement;
  const index = Number(target.closest('tr')?.dataset.index);
  if (Number.isNaN(index)) return;
  const targets: Record<string, number> = { ArrowDown: index + 1, ArrowUp: index - 1, Home: 0, End: count - 1 };
  const next = targets[event.key];
  if (next !== undefined) {
    event.preventDefault();
    moveTo(Math.max(0, Math.min(count - 1, next)));
  } else if (event.key === ' ' && target.tagName === 'A' && selection) {
    event.preventDefault();
    const row = rows[index];
    if (row !== undefined) toggle(selection, [rowId(row)], !selection.ids.has(rowId(row)));
  }
}
