// Steps from page to page of a list that is paged by cursor.
import { ChevronLeft, ChevronRight, ChevronsLeft } from 'lucide-react';
import { useRef } from 'react';
import { useTranslation } from 'react-i18next';
import { formatNumber } from '../i18n/format';
import { IconButton } from '../ui/Button';
import { Select } from '../ui/Input';
import { PAGE_SIZES, type TableStateHandle } from './tableState';

interface PagerProps {
  table: TableStateHandle;
  shown: number;
  total: number | undefined;
  nextCursor: string | null;
}

export function Pager({ table, shown, total, nextCursor }: PagerProps) {
  const { t } = useTranslation('shared');
  const { state, change } = table;
  // Cursors lead forward only; the way back is remembered. After a reload only the first page is known.
  const trail = useRef<string[]>([]);
  const forward = () => {
    trail.current.push(state.cursor);
    change({ cursor: nextCursor ?? '' });
  };
  return (
    <div className="flex flex-wrap items-center justify-between gap-3 border-t border-line px-3 py-2 text-muted">
      <p role="status">
        {t('table.rowsShown', { count: shown })}
        {total !== undefined && ` · ${t('table.total', { total: formatNumber(total) })}`}
      </p>
      <div className="flex items-center gap-1">
        <Select
          aria-label={t('table.rows')}
          className="min-h-9 w-auto"
          value={String(state.limit)}
          options={PAGE_SIZES.map((size) => ({ value: String(size), label: String(size) }))}
          onChange={(event) => change({ limit: Number(event.target.value) })}
        />
        <IconButton
          label={t('table.firstPage')}
          disabled={!state.cursor}
          icon={<ChevronsLeft aria-hidden className="size-4" />}
          onClick={() => {
            trail.current = [];
            change({ cursor: '' });
          }}
        />
        <IconButton
          label={t('table.previousPage')}
          disabled={!state.cursor}
          icon={<ChevronLeft aria-hidden className="size-4" />}
          onClick={() => change({ cursor: trail.current.pop() ?? '' })}
        />
        <IconButton
          label={t('table.nextPage')}
          disabled={nextCursor === null}
          icon={<ChevronRight aria-hidden className="size-4" />}
          onClick={forward}
        />
      </div>
    </div>
  );
}
