// The trackers on the map, and a card for the one that was clicked.
import { api, call } from '@tracker/shared/api/client.ts';
import type { TrackerPosition } from '@tracker/shared/api/schema.d.ts';
import { boundsOf } from '@tracker/shared/map/geometry.ts';
import { useFit } from '@tracker/shared/map/layers.ts';
import { MapView } from '@tracker/shared/map/MapView.tsx';
import { PositionLayer } from '@tracker/shared/map/PositionLayer.tsx';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { PickedCard } from '../common/PickedCard';
import type { QueryOf } from '../common/queries';
import type { TrackersSearch } from './search';

/** The most that one answer holds. */
const MOST = 500;

interface TrackersMapProps {
  search: TrackersSearch;
  onChange: (change: Partial<TrackersSearch>) => void;
}

const positionsQuery = (query: QueryOf<'/api/v1/trackers/positions/latest'>) => ({
  queryKey: ['/api/v1/trackers/positions', query],
  queryFn: ({ signal }: { signal: AbortSignal }) =>
    call(api.GET('/api/v1/trackers/positions/latest', { params: { query: { ...query, limit: MOST } }, signal })),
});

export function TrackersMap({ search, onChange }: TrackersMapProps) {
  const { t } = useTranslation('app');
  const [picked, setPicked] = useState<number>();
  const positions = useQuery(
    positionsQuery({
      ...(search.status ? { status: search.status } : {}),
      ...(search.run ? { production_run_id: String(search.run) } : {}),
    }),
  );
  const rows = positions.data?.items;
  const { lat, lng, zoom } = search;
  const placed = lat !== undefined && lng !== undefined && zoom !== undefined;
  return (
    <>
      <MapView
        className="h-full"
        label={t('trackers.mapLabel')}
        start={placed ? { center: { latitude: lat, longitude: lng }, zoom } : {}}
        onMoved={({ center, zoom: next }) =>
          onChange({ lat: round(center.latitude, 5), lng: round(center.longitude, 5), zoom: round(next, 2) })
        }
      >
        {rows && <PositionLayer rows={rows} onPick={setPicked} />}
        {rows && !placed && <FitRows rows={rows} />}
      </MapView>
      {rows?.length === 0 && <Note text={t('trackers.noPosition')} />}
      {positions.data?.next_cursor && <Note text={t('trackers.capped', { count: MOST })} />}
      <PickedCard row={rows?.find((row) => row.tracker_id === picked)} onClose={() => setPicked(undefined)} />
    </>
  );
}

function FitRows({ rows }: { rows: TrackerPosition[] }) {
  useFit(boundsOf(rows.map((row) => row.position)), 12);
  return null;
}

function Note({ text }: { text: string }) {
  return (
    <p
      role="status"
      className="absolute top-2 left-2 max-w-[calc(100%-4.5rem)] rounded-md bg-surface px-3 py-1.5 shadow"
    >
      {text}
    </p>
  );
}

function round(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}
