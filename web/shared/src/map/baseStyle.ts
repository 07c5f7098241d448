// The base map: the installation's own (a style's URL or a raster template), else Natural Earth's shapes, which need no internet.
import type { FeatureCollection, MultiPolygon, Point, Polygon, Position } from 'geojson';
import type { StyleSpecification } from 'maplibre-gl';
import type { GeometryCollection, Topology } from 'topojson-specification';
import { feature, mesh } from 'topojson-client';
import worldUrl from 'world-atlas/countries-50m.json?url';
import { getConfig } from '../config/config';
import { ringArea, ringCentre } from './geometry';

const COLORS = {
  light: { water: '#dbe7f3', land: '#f6f4ee', border: '#b6b8c4', text: '#5b6472', halo: '#ffffff' },
  dark: { water: '#0d1626', land: '#1b2536', border: '#3d4b63', text: '#9aa8bd', halo: '#0d1626' },
};

const FONT = ['system-ui', 'Noto Sans', 'sans-serif'];

/** The style to draw under our own layers. Rejects only when a built-in file is missing. */
export async function loadBaseStyle(dark: boolean): Promise<StyleSpecification | string> {
  const { map_style: own, map_attribution: attribution } = getConfig();
  if (own?.includes('{z}')) return rasterStyle(own, attribution ?? '', dark);
  return own || offlineStyle(dark);
}

function rasterStyle(template: string, attribution: string, dark: boolean): StyleSpecification {
  return {
    version: 8,
    sources: { base: { type: 'raster', tiles: [template], tileSize: 256, maxzoom: 19, attribution } },
    layers: [
      {
        id: 'base',
        type: 'raster',
        source: 'base',
        paint: dark ? { 'raster-brightness-max': 0.6, 'raster-saturation': -0.4 } : {},
      },
    ],
  };
}

interface World {
  countries: FeatureCollection<Polygon | MultiPolygon, { name: string }>;
  borders: MultiLine;
  names: FeatureCollection<Point, { name: string }>;
}
type MultiLine = ReturnType<typeof mesh>;
type WorldTopology = Topology<{ countries: GeometryCollection<{ name: string }> }>;

let world: Promise<World> | undefined;

async function loadWorld(): Promise<World> {
  const response = await fetch(worldUrl);
  if (!response.ok) throw new Error(`base map: ${response.status}`);
  const topology = (await response.json()) as WorldTopology;
  const countries = feature(topology, topology.objects.countries) as World['countries'];
  const borders = mesh(topology, topology.objects.countries, (a, b) => a !== b);
  return { countries, borders, names: countryNames(countries) };
}

/** A point for each country's name: the middle of its largest part. */
function countryNames(countries: World['countries']): World['names'] {
  return {
    type: 'FeatureCollection',
    features: countries.features.map(({ geometry, properties }) => {
      const parts = geometry.type === 'Polygon' ? [geometry.coordinates] : geometry.coordinates;
      const rings = parts.map((part) => part[0] ?? ([] as Position[]));
      const largest = rings.reduce((a, b) => (ringArea(b) > ringArea(a) ? b : a));
      return { type: 'Feature', properties, geometry: { type: 'Point', coordinates: ringCentre(largest) } };
    }),
  };
}

async function offlineStyle(dark: boolean): Promise<StyleSpecification> {
  // A failed load is tried again by the next map.
  world ??= loadWorld().catch((error: unknown) => {
    world = undefined;
    throw error;
  });
  const { countries, borders, names } = await world;
  const color = dark ? COLORS.dark : COLORS.light;
  const attribution = 'Natural Earth';
  return {
    version: 8,
    sources: {
      countries: { type: 'geojson', data: countries, attribution, maxzoom: 8, tolerance: 0.5 },
      borders: { type: 'geojson', data: borders, maxzoom: 8 },
      names: { type: 'geojson', data: names, maxzoom: 4 },
    },
    layers: [
      { id: 'water', type: 'background', paint: { 'background-color': color.water } },
      { id: 'land', type: 'fill', source: 'countries', paint: { 'fill-color': color.land } },
      { id: 'borders', type: 'line', source: 'borders', paint: { 'line-color': color.border, 'line-width': 1 } },
      {
        id: 'names',
        type: 'symbol',
        source: 'names',
        minzoom: 2.5,
        layout: { 'text-field': ['get', 'name'], 'text-font': FONT, 'text-size': 12, 'text-max-width': 8 },
        paint: { 'text-color': color.text, 'text-halo-color': color.halo, 'text-halo-width': 1 },
      },
    ],
  };
}

/** The fonts of labels: the reader's own, so that no glyphs have to be fetched. */
export const labelFont = FONT;
