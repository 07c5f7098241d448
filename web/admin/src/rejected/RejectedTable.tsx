// Groups of rejected reports as a table; of days, trackers and reasons only the columns that the groups have.
import type { RejectedReports } from '@tracker/shared/api/schema.d.ts';
import { formatDate, formatNumber } from '@tracker/shared/i18n/format.ts';
import { DataTable } from '@tracker/shared/table/DataTable.tsx';
import { Badge } from '@tracker/shared/ui/Badge.tsx';
import { Time } from '@tracker/shared/ui/Time.tsx';
import type { ColumnDef } from '@tanstack/react-table';
import { Link } from '@tanstack/react-router';
import { useMemo } from 'react';
import { useTranslation } from 'react-i18next';
import { useReason } from './useReason';

type Group = RejectedReports['items'][number] & { row: number };

export function RejectedTable({ label, items }: { label: string; items: RejectedReports['items'] }) {
  const { t } = useTranslation('admin');
  const reason = useReason();
  const rows = useMemo(() => items.map((item, row) => ({ ...item, row })), [items]);
  const columns = useMemo((): ColumnDef<Group, unknown>[] => {
    const all: (ColumnDef<Group, unknown> & { id: keyof Group })[] = [
      {
        id: 'day',
        meta: { label: t('rejected.day') },
        cell: ({ row }) => formatDate(row.original.day ?? ''),
      },
      {
        id: 'tracker_id',
        meta: { label: t('field.tracker_id') },
        cell: ({ row: { original } }) => (
          <Link
            to={'/trackers/$id' as never}
            params={{ id: String(original.tracker_id) } as never}
            className="text-link hover:underline"
          >
            {original.tracker_name}
          </Link>
        ),
      },
      {
        id: 'reason',
        meta: { label: t('field.reason') },
        cell: ({ row }) => <Badge tone="warning">{reason(row.original.reason)}</Badge>,
      },
      {
        id: 'reports',
        meta: { label: t('pipeline.reports'), numeric: true },
        cell: ({ row }) => formatNumber(row.original.reports),
      },
      {
        id: 'trackers',
        meta: { label: t('field.trackers'), numeric: true },
        cell: ({ row }) => formatNumber(row.original.trackers ?? 0),
      },
      {
        id: 'last_at',
        meta: { label: t('rejected.last') },
        cell: ({ row }) => <Time value={row.original.last_at} exact />,
      },
    ];
    const [first] = items;
    return all.filter(({ id }) => first && id in first);
  }, [items, t, reason]);
  return (
    <DataTable
      label={label}
      rows={rows}
      columns={columns}
      rowId={(group) => group.row}
      rowName={(group) => group.reason}
    />
  );
}
