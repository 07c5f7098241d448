// A place on the map, the trackers around it, and the runs that it counts for.
import { api, call } from '@tracker/shared/api/client.ts';
import type { DeliveryLocation } from '@tracker/shared/api/schema.d.ts';
import { Card } from '@tracker/shared/ui/Card.tsx';
import { Loading } from '@tracker/shared/ui/states.tsx';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { lazy, Suspense } from 'react';
import { useTranslation } from 'react-i18next';
import type { Row } from '../resource/spec';
import { InsideCount } from './InsideCount';
import { shapeOf } from './shape';
import { useNearby } from './useNearby';

const ShapeMap = lazy(() => import('./ShapeMap').then((module) => ({ default: module.ShapeMap })));
const MOST_RUNS = 500;

export function LocationOverview({ row }: { row: Row }) {
  const { t } = useTranslation('admin');
  const place = row as unknown as DeliveryLocation;
  const shape = shapeOf(place);
  const nearby = useNearby(shape, { client_id: String(place.client_id) });
  // A run lists its places; the other way round the client's runs are looked through.
  const runs = useQuery({
    queryKey: ['/api/v1/production-runs', 'of-location', row.id],
    queryFn: async ({ signal }) => {
      const query = { client_id: String(place.client_id), limit: MOST_RUNS };
      const page = await call(api.GET('/api/v1/production-runs', { params: { query }, signal }));
      return page.items.filter((run) => run.location_ids.includes(row.id));
    },
  });
  return (
    <div className="grid gap-4 lg:grid-cols-[minmax(0,2fr)_minmax(16rem,1fr)]">
      <div className="flex flex-col gap-2">
        <Suspense fallback={<Loading />}>
          <ShapeMap key={place.updated_at} label={place.name} shape={shape} trackers={nearby?.around} />
        </Suspense>
        <InsideCount nearby={nearby} />
      </div>
      <Card title={t('place.usedBy')}>
        {runs.data?.length === 0 && <p className="text-muted">{t('place.unused')}</p>}
        <ul className="flex flex-col gap-1">
          {runs.data?.map((run) => (
            <li key={run.id}>
              <Link
                to={'/production-runs/$id' as never}
                params={{ id: String(run.id) } as never}
                className="text-link hover:underline"
              >
                {run.name}
              </Link>
            </li>
          ))}
        </ul>
      </Card>
    </div>
  );
}
