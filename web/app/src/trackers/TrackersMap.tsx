// The trackers of the filters on the map, and a card for what was clicked. For the trackers' page and for a run's.
import type { TrackerPosition } from '@tracker/shared/api/schema.d.ts';
import { boundsOf, WORLD, type Bounds } from '@tracker/shared/map/geometry.ts';
import { useFit } from '@tracker/shared/map/layers.ts';
import { MapView, type MapPlace } from '@tracker/shared/map/MapView.tsx';
import { PlaceLayer, type Place } from '@tracker/shared/map/PlaceLayer.tsx';
import { TrackerTiles, type PickedTracker } from '@tracker/shared/map/TrackerTiles.tsx';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { GroupCard, PickedCard } from '../common/PickedCard';
import { positionsQuery } from '../common/queries';
import type { TrackerFilter } from './search';

interface TrackersMapProps {
  label: string;
  filter: TrackerFilter;
  /** Where the map was; without it, all trackers are shown. */
  start?: MapPlace | undefined;
  onMoved?: (place: MapPlace) => void;
  places?: Place[];
}

type Picked = { kind: 'tracker'; tracker: PickedTracker } | { kind: 'group'; bounds: Bounds };

export function TrackersMap({ label, filter, start, onMoved, places }: TrackersMapProps) {
  const { t } = useTranslation('app');
  const [picked, setPicked] = useState<Picked>();
  // Only where the map begins: what it draws comes as tiles.
  const sample = useQuery({ ...positionsQuery(filter), enabled: !start });
  const rows = sample.data?.items;
  const close = () => setPicked(undefined);
  return (
    <>
      <MapView className="h-full" label={label} start={start ?? WORLD} onMoved={onMoved}>
        {places && <PlaceLayer places={places} />}
        <TrackerTiles
          filter={filter}
          onPick={(tracker) => setPicked({ kind: 'tracker', tracker })}
          onPickGroup={(bounds) => setPicked({ kind: 'group', bounds })}
        />
        {rows && !start && <Fit rows={rows} />}
      </MapView>
      {rows?.length === 0 && (
        <p role="status" className="absolute top-2 left-2 max-w-[calc(100%-4.5rem)] rounded-md bg-surface px-3 py-1.5">
          {t('trackers.noPosition')}
        </p>
      )}
      {picked?.kind === 'tracker' && <PickedCard tracker={picked.tracker} onClose={close} />}
      {picked?.kind === 'group' && <GroupCard filter={filter} bounds={picked.bounds} onClose={close} />}
    </>
  );
}

function Fit({ rows }: { rows: TrackerPosition[] }) {
  useFit(boundsOf(rows.map((row) => row.position)), 12);
  return null;
}
