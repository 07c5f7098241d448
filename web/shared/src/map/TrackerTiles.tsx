// Any number of trackers on the map: vector tiles of the API, grouped by the server, renewed as trackers move.
import type { GeoJSONFeature } from 'maplibre-gl';
import type { Point } from 'geojson';
import { useEffect, useMemo, useRef } from 'react';
import { useLive } from '../live/useLive';
import type { Status } from '../ui/Badge';
import { labelFont } from './baseStyle';
import type { Bounds } from './geometry';
import { layerId, sourceId, useMap, usePick, useSource } from './layers';
import { statusColor } from './statusColor';
import { tilesUrl } from './tilesUrl';

/** A tracker that was clicked. */
export interface PickedTracker {
  id: number;
  name: string;
  status: Status;
  reported_at: string | null;
}

interface TrackerTilesProps {
  /** Filters as the list of trackers takes them. */
  filter: Record<string, string | number>;
  onPick: (tracker: PickedTracker) => void;
  /** Called for a group that zooming does not part, with the box around it. */
  onPickGroup: (bounds: Bounds, trackers: number) => void;
}

const ID = 'trackers';
/** Tiles of deeper zooms are cut out of these: there a group is of one place. */
const MAX_TILE_ZOOM = 16;
const RENEW_MS = 5000;
const FINGER_PX = 10;

const inLayer = { 'source-layer': 'trackers' };
const LAYERS = [
  {
    id: 'groups',
    ...inLayer,
    type: 'circle',
    filter: ['>', ['get', 'trackers'], 1],
    paint: {
      'circle-color': '#1e3a8a',
      'circle-radius': ['interpolate', ['linear'], ['log10', ['get', 'trackers']], 0.3, 12, 4, 26],
      'circle-stroke-color': '#ffffff',
      'circle-stroke-width': 2,
    },
  },
  {
    id: 'counts',
    ...inLayer,
    type: 'symbol',
    filter: ['>', ['get', 'trackers'], 1],
    layout: {
      'text-field': ['to-string', ['get', 'trackers']],
      'text-font': labelFont,
      'text-size': 12,
      'text-allow-overlap': true,
    },
    paint: { 'text-color': '#ffffff' },
  },
  {
    id: 'points',
    ...inLayer,
    type: 'circle',
    filter: ['==', ['get', 'trackers'], 1],
    paint: {
      'circle-color': statusColor,
      'circle-radius': 8,
      'circle-stroke-color': '#ffffff',
      'circle-stroke-width': 2,
    },
  },
];

export function TrackerTiles({ filter, onPick, onPickGroup }: TrackerTilesProps) {
  const map = useMap();
  const url = tilesUrl(filter);
  const source = useMemo(() => ({ type: 'vector' as const, tiles: [url], maxzoom: MAX_TILE_ZOOM }), [url]);
  useSource(ID, source, LAYERS);
  useRenewal();

  usePick([layerId(ID, 'points')], ({ properties }) => onPick(picked(properties)));
  usePick([layerId(ID, 'groups')], (feature, { point }) => {
    const { latitude, longitude } = positionOf(feature);
    if (map.getZoom() < MAX_TILE_ZOOM) {
      map.easeTo({ center: [longitude, latitude], zoom: map.getZoom() + 2 });
      return;
    }
    const low = map.unproject([point.x - FINGER_PX, point.y + FINGER_PX]);
    const high = map.unproject([point.x + FINGER_PX, point.y - FINGER_PX]);
    onPickGroup([low.lng, low.lat, high.lng, high.lat], Number(feature.properties.trackers));
  });
  return null;
}

/** Asks for the tiles again when trackers moved, at most every few seconds. */
function useRenewal(): void {
  const map = useMap();
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  useLive((kind) => {
    if (kind !== 'position' && kind !== 'status' && kind !== 'reset') return;
    timer.current ??= setTimeout(() => {
      timer.current = undefined;
      map.refreshTiles(sourceId(ID));
    }, RENEW_MS);
  });
  useEffect(() => () => clearTimeout(timer.current), []);
}

function positionOf({ geometry }: Pick<GeoJSONFeature, 'geometry'>) {
  const [longitude = 0, latitude = 0] = (geometry as Point).coordinates;
  return { latitude, longitude };
}

function picked(properties: Record<string, unknown>): PickedTracker {
  const { id, name, status, reported } = properties;
  return {
    id: Number(id),
    name: String(name),
    status: status as Status,
    reported_at: typeof reported === 'number' ? new Date(reported * 1000).toISOString() : null,
  };
}
