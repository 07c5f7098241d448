// The units of a shared run on the map.
import type { SharedTracker } from '@tracker/shared/api/schema.d.ts';
import { boundsOf } from '@tracker/shared/map/geometry.ts';
import { useFit } from '@tracker/shared/map/layers.ts';
import { MapView } from '@tracker/shared/map/MapView.tsx';
import { PositionLayer } from '@tracker/shared/map/PositionLayer.tsx';
import { useMemo } from 'react';
import { useTranslation } from 'react-i18next';

export function SharedRunMap({ name, trackers }: { name: string; trackers: SharedTracker[] }) {
  const { t } = useTranslation('app');
  const rows = useMemo(
    () =>
      trackers.flatMap(({ id, name: unit, status, position }) =>
        position ? [{ tracker_id: id, name: unit, status, position }] : [],
      ),
    [trackers],
  );
  const bounds = boundsOf(rows.map((row) => row.position));
  return (
    <MapView className="h-full" label={t('run.mapLabel', { name })} start={{ bounds }}>
      <PositionLayer rows={rows} />
      <Fit bounds={bounds} />
    </MapView>
  );
}

function Fit({ bounds }: { bounds: Parameters<typeof useFit>[0] }) {
  useFit(bounds, 12);
  return null;
}
