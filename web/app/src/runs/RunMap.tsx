// The units and places of a run on the map.
import { api, call } from '@tracker/shared/api/client.ts';
import type { ProductionRun } from '@tracker/shared/api/schema.d.ts';
import { boundsOf } from '@tracker/shared/map/geometry.ts';
import { useFit } from '@tracker/shared/map/layers.ts';
import { MapView } from '@tracker/shared/map/MapView.tsx';
import { PlaceLayer } from '@tracker/shared/map/PlaceLayer.tsx';
import { PositionLayer } from '@tracker/shared/map/PositionLayer.tsx';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { PickedCard } from '../common/PickedCard';
import { runPlacesQuery } from '../common/queries';

/** The most that one answer holds. */
const MOST = 500;

export function RunMap({ run }: { run: ProductionRun }) {
  const { t } = useTranslation('app');
  const [picked, setPicked] = useState<number>();
  const { id } = run;
  const places = useQuery(runPlacesQuery(id));
  const positions = useQuery({
    queryKey: ['/api/v1/trackers/positions', { run: id }],
    queryFn: ({ signal }) =>
      call(
        api.GET('/api/v1/production-runs/{id}/trackers/positions', {
          params: { path: { id }, query: { limit: MOST } },
          signal,
        }),
      ),
  });
  const rows = positions.data?.items ?? [];
  const centers = (places.data?.items ?? []).flatMap(({ center }) => (center ? [center] : []));
  return (
    <>
      <MapView className="h-full" label={t('run.mapLabel', { name: run.name })}>
        <PlaceLayer places={places.data?.items ?? []} />
        <PositionLayer rows={rows} onPick={setPicked} />
        <Fit points={[...rows.map((row) => row.position), ...centers]} />
      </MapView>
      <PickedCard row={rows.find((row) => row.tracker_id === picked)} onClose={() => setPicked(undefined)} />
    </>
  );
}

function Fit({ points }: { points: Parameters<typeof boundsOf>[0] }) {
  useFit(boundsOf(points), 12);
  return null;
}
