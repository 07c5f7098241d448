// The newest positions of some trackers (an answer's worth): single ones coloured by status, near ones drawn together.
import type { FeatureCollection, Point } from 'geojson';
import type { GeoJSONSource, SourceSpecification } from 'maplibre-gl';
import { useEffect, useMemo } from 'react';
import type { Status } from '../ui/Badge';
import type { LatLng } from './geometry';
import { labelFont } from './baseStyle';
import { layerId, sourceId, useMap, usePick, useSource } from './layers';
import { statusColor } from './statusColor';

interface Row {
  tracker_id: number;
  name: string;
  status: Status;
  position: LatLng;
}

const ID = 'positions';
const CLUSTER_RADIUS = 44;
const SOURCE: SourceSpecification = {
  type: 'geojson',
  data: { type: 'FeatureCollection', features: [] },
  cluster: true,
  clusterRadius: CLUSTER_RADIUS,
  clusterMaxZoom: 15,
};

const LAYERS = [
  {
    id: 'groups',
    type: 'circle',
    filter: ['has', 'point_count'],
    paint: {
      'circle-color': '#1e3a8a',
      'circle-radius': ['interpolate', ['linear'], ['get', 'point_count'], 2, 14, 100, 24],
      'circle-stroke-color': '#ffffff',
      'circle-stroke-width': 2,
    },
  },
  {
    id: 'counts',
    type: 'symbol',
    filter: ['has', 'point_count'],
    layout: {
      'text-field': ['get', 'point_count_abbreviated'],
      'text-font': labelFont,
      'text-size': 13,
      'text-allow-overlap': true,
    },
    paint: { 'text-color': '#ffffff' },
  },
  {
    id: 'points',
    type: 'circle',
    filter: ['!', ['has', 'point_count']],
    paint: {
      'circle-color': statusColor,
      'circle-radius': 8,
      'circle-stroke-color': '#ffffff',
      'circle-stroke-width': 2,
    },
  },
];

export function PositionLayer({ rows, onPick }: { rows: Row[]; onPick?: (tracker: number) => void }) {
  const map = useMap();
  const data = useMemo(() => positionFeatures(rows), [rows]);
  useSource(ID, SOURCE, LAYERS);
  useEffect(() => void map.getSource<GeoJSONSource>(sourceId(ID))?.setData(data), [map, data]);
  usePick([layerId(ID, 'points')], ({ properties }) => onPick?.(Number(properties.tracker_id)));
  usePick([layerId(ID, 'groups')], ({ properties, geometry }) => {
    const [lng = 0, lat = 0] = (geometry as Point).coordinates;
    void map
      .getSource<GeoJSONSource>(sourceId(ID))
      ?.getClusterExpansionZoom(Number(properties.cluster_id))
      .then((zoom) => map.easeTo({ center: [lng, lat], zoom }));
  });
  return null;
}

export function positionFeatures(rows: Row[]): FeatureCollection<Point> {
  return {
    type: 'FeatureCollection',
    features: rows.map(({ tracker_id, name, status, position }) => ({
      type: 'Feature',
      id: tracker_id,
      properties: { tracker_id, name, status },
      geometry: { type: 'Point', coordinates: [position.longitude, position.latitude] },
    })),
  };
}
