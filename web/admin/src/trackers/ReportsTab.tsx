// The reports of a tracker as they came in, also those that were not judged, with the reason.
import { api, call } from '@tracker/shared/api/client.ts';
import type { Report } from '@tracker/shared/api/schema.d.ts';
import { formatDistance, formatPosition } from '@tracker/shared/i18n/format.ts';
import { DataTable } from '@tracker/shared/table/DataTable.tsx';
import { Badge } from '@tracker/shared/ui/Badge.tsx';
import { Button } from '@tracker/shared/ui/Button.tsx';
import { Card } from '@tracker/shared/ui/Card.tsx';
import { Select } from '@tracker/shared/ui/Input.tsx';
import { Await, Empty } from '@tracker/shared/ui/states.tsx';
import { Time } from '@tracker/shared/ui/Time.tsx';
import { useInfiniteQuery } from '@tanstack/react-query';
import type { ColumnDef } from '@tanstack/react-table';
import { useMemo, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useWord } from '../resource/cells';
import type { Row } from '../resource/spec';

const PAGE = 200;
const FLAGS = ['low_confidence', 'inaccurate', 'jump', 'excluded'] as const;

type Flag = (typeof FLAGS)[number];
type Numbered = Report & { row: number };

export function ReportsTab({ row }: { row: Row }) {
  const { t } = useTranslation(['admin', 'shared']);
  const word = useWord();
  const [flag, setFlag] = useState('');
  const reports = useInfiniteQuery({
    queryKey: ['/api/v1/trackers', row.id, 'reports', flag],
    initialPageParam: '',
    queryFn: ({ pageParam, signal }) => {
      const query = {
        limit: PAGE,
        ...(pageParam ? { cursor: pageParam } : {}),
        ...(flag ? { flag: flag as Flag } : {}),
      };
      return call(api.GET('/api/v1/trackers/{id}/reports', { params: { path: { id: row.id }, query }, signal }));
    },
    getNextPageParam: (last) => last.next_cursor ?? undefined,
  });
  const rows = useMemo(
    () => (reports.data?.pages ?? []).flatMap((page) => page.items).map((report, index) => ({ ...report, row: index })),
    [reports.data],
  );
  const columns = useColumns();
  return (
    <Card
      flush
      title={t('reports.title')}
      actions={
        <Select
          aria-label={t('reports.flag')}
          className="w-48"
          value={flag}
          empty={t('shared:field.any')}
          options={FLAGS.map((value) => ({ value, label: word(value) }))}
          onChange={(event) => setFlag(event.target.value)}
        />
      }
    >
      <Await query={reports}>
        {() =>
          rows.length === 0 ? (
            <Empty />
          ) : (
            <>
              <DataTable
                label={t('reports.title')}
                rows={rows}
                columns={columns}
                rowId={(report) => report.row}
                rowName={(report) => report.reported_at}
              />
              {reports.hasNextPage && (
                <div className="flex justify-center border-t border-line p-2">
                  <Button small busy={reports.isFetchingNextPage} onClick={() => void reports.fetchNextPage()}>
                    {t('shared:action.more')}
                  </Button>
                </div>
              )}
            </>
          )
        }
      </Await>
    </Card>
  );
}

function useColumns(): ColumnDef<Numbered, unknown>[] {
  const { t } = useTranslation(['admin', 'shared']);
  const word = useWord();
  return useMemo(
    (): ColumnDef<Numbered, unknown>[] => [
      {
        id: 'reported_at',
        meta: { label: t('reports.reported') },
        cell: ({ row: { original } }) => <Time value={original.reported_at} exact />,
      },
      {
        id: 'received_at',
        meta: { label: t('reports.received') },
        cell: ({ row: { original } }) => <Time value={original.received_at} />,
      },
      {
        id: 'position',
        meta: { label: t('field.position') },
        cell: ({ row: { original } }) => formatPosition(original.position),
      },
      {
        id: 'accuracy_m',
        meta: { label: t('field.accuracy_m'), numeric: true },
        cell: ({ row: { original } }) => formatDistance(original.accuracy_m),
      },
      {
        id: 'confidence',
        meta: { label: t('reports.confidence'), numeric: true },
        cell: ({ row: { original } }) => original.confidence,
      },
      {
        id: 'battery',
        meta: { label: t('field.battery') },
        cell: ({ row: { original } }) => (original.battery ? t(`shared:battery.${original.battery}`) : '–'),
      },
      {
        id: 'flag',
        meta: { label: t('reports.flag') },
        cell: ({ row: { original } }) => (original.flag ? <Badge tone="warning">{word(original.flag)}</Badge> : '–'),
      },
    ],
    [t, word],
  );
}
