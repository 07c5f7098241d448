// Storage and delivery locations on the map: their shapes and names.
import type { Feature, FeatureCollection } from 'geojson';
import { useMemo } from 'react';
import type { Polygon } from '../api/schema';
import { useIsDark } from '../theme/theme';
import { labelFont } from './baseStyle';
import { circlePolygon, type LatLng } from './geometry';
import { useGeoJson } from './layers';

export interface Place {
  id: number;
  name: string;
  kind: 'storage' | 'delivery';
  center: LatLng | null;
  radius_m: number | null;
  polygon: Polygon | null;
}

const kindColor = ['match', ['get', 'kind'], 'delivery', '#16a34a', '#2563eb'];

function layers(dark: boolean) {
  return [
    { id: 'area', type: 'fill', paint: { 'fill-color': kindColor, 'fill-opacity': 0.15 } },
    {
      id: 'edge',
      type: 'line',
      paint: {
        'line-color': kindColor,
        'line-width': 2,
        'line-dasharray': ['match', ['get', 'kind'], 'delivery', ['literal', [1, 0]], ['literal', [2, 1]]],
      },
    },
    {
      id: 'name',
      type: 'symbol',
      minzoom: 4,
      layout: {
        'text-field': ['get', 'name'],
        'text-font': labelFont,
        'text-size': 12,
        'text-offset': [0, 0.5],
        'text-anchor': 'top',
      },
      paint: {
        'text-color': dark ? '#e6ebf3' : '#0f172a',
        'text-halo-color': dark ? '#0d1626' : '#ffffff',
        'text-halo-width': 1.5,
      },
    },
  ];
}
const lightLayers = layers(false);
const darkLayers = layers(true);

export function PlaceLayer({ places }: { places: Place[] }) {
  const data = useMemo(() => placeFeatures(places), [places]);
  useGeoJson('places', data, useIsDark() ? darkLayers : lightLayers);
  return null;
}

export function placeFeatures(places: Place[]): FeatureCollection {
  const features = places.flatMap((place): Feature[] => {
    const { id, name, kind, center, radius_m, polygon } = place;
    const shape = polygon ?? (center && radius_m !== null ? circlePolygon(center, radius_m) : undefined);
    if (!shape) return [];
    return [{ type: 'Feature', id, properties: { id, name, kind }, geometry: shape }];
  });
  return { type: 'FeatureCollection', features };
}
