// Overview: the trackers that the user may see.
import { api, call } from '@tracker/shared/api/client.ts';
import { StatusBadge } from '@tracker/shared/ui/Badge.tsx';
import { Card, PageHead } from '@tracker/shared/ui/Card.tsx';
import { Await, Empty } from '@tracker/shared/ui/states.tsx';
import { useQuery } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';

export function OverviewPage() {
  const { t } = useTranslation('app');
  const trackers = useQuery({
    queryKey: ['/api/v1/trackers', { limit: 50 }],
    queryFn: ({ signal }) => call(api.GET('/api/v1/trackers', { params: { query: { limit: 50 } }, signal })),
  });
  return (
    <div className="flex flex-col gap-4">
      <PageHead title={t('nav.overview')} />
      <Card flush>
        <Await query={trackers}>
          {(page) =>
            page.items.length === 0 ? (
              <Empty />
            ) : (
              <ul className="divide-y divide-line">
                {page.items.map((tracker) => (
                  <li key={tracker.id} className="flex items-center justify-between gap-3 px-4 py-2">
                    {tracker.name}
                    <StatusBadge status={tracker.status} />
                  </li>
                ))}
              </ul>
            )
          }
        </Await>
      </Card>
    </div>
  );
}
