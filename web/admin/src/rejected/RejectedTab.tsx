// The reports of one tracker that could not be used, by day and reason.
import { api, call } from '@tracker/shared/api/client.ts';
import { Card } from '@tracker/shared/ui/Card.tsx';
import { Await, Empty } from '@tracker/shared/ui/states.tsx';
import { useQuery } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import type { Row } from '../resource/spec';
import { RejectedTable } from './RejectedTable';

const DAYS = 90;
const DAY_MS = 86_400_000;

export function RejectedTab({ row }: { row: Row }) {
  const { t } = useTranslation('admin');
  const reports = useQuery({
    queryKey: ['/api/v1/trackers', row.id, 'rejected-reports'],
    queryFn: ({ signal }) => {
      const query = { from: new Date(Date.now() - DAYS * DAY_MS).toISOString() };
      const params = { path: { id: row.id }, query };
      return call(api.GET('/api/v1/trackers/{id}/rejected-reports', { params, signal }));
    },
  });
  return (
    <Card flush title={t('rejected.title')}>
      <Await query={reports}>
        {({ items }) =>
          items.length === 0 ? (
            <Empty title={t('rejected.none')} />
          ) : (
            <RejectedTable label={t('rejected.title')} items={items} />
          )
        }
      </Await>
    </Card>
  );
}
