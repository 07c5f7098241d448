// The map on which a place is set: a click or a dragged pin for a circle, drawing by hand for polygons. Loaded lazily.
import type { Polygon, TrackerPosition } from '@tracker/shared/api/schema.d.ts';
import type { Bounds, LatLng } from '@tracker/shared/map/geometry.ts';
import { useFit, useGeoJson, useMap } from '@tracker/shared/map/layers.ts';
import { MapView } from '@tracker/shared/map/MapView.tsx';
import { positionFeatures } from '@tracker/shared/map/PositionLayer.tsx';
import { statusColor } from '@tracker/shared/map/statusColor.ts';
import type { FeatureCollection } from 'geojson';
import { Marker } from 'maplibre-gl';
import { useEffect, useEffectEvent, useMemo } from 'react';
import { Drawing, SHAPE_COLOR } from './Drawing';
import { outlines, shapeBounds, type Shape } from './shape';

interface ShapeMapProps {
  label: string;
  shape: Shape;
  /** Absent: the map only shows. */
  onChange?: (shape: Shape) => void;
  /** The next polygon drawn is one more piece. */
  adding?: boolean;
  /** Moves the map: an address that was found. */
  target?: Bounds | undefined;
  /** Shown as dots. */
  trackers?: TrackerPosition[] | undefined;
}

const edges = [
  { id: 'area', type: 'fill', paint: { 'fill-color': SHAPE_COLOR, 'fill-opacity': 0.2 } },
  { id: 'edge', type: 'line', paint: { 'line-color': SHAPE_COLOR, 'line-width': 2 } },
];
const dots = [
  {
    id: 'dots',
    type: 'circle',
    paint: {
      'circle-color': statusColor,
      'circle-radius': 5,
      'circle-stroke-color': '#ffffff',
      'circle-stroke-width': 1.5,
    },
  },
];
const NOBODY: TrackerPosition[] = [];

export function ShapeMap({ label, shape, onChange, adding = false, target, trackers = NOBODY }: ShapeMapProps) {
  const drawn = shape.kind === 'polygon' && onChange !== undefined;
  return (
    <MapView
      label={label}
      className="h-72 rounded-md border border-line md:h-96"
      start={{ bounds: shapeBounds(shape) }}
    >
      {drawn ? (
        <Drawing pieces={shape.pieces} adding={adding} onChange={(pieces) => onChange({ kind: 'polygon', pieces })} />
      ) : (
        <Outline pieces={outlines(shape)} />
      )}
      {shape.kind === 'circle' && onChange && <Pin shape={shape} onChange={onChange} />}
      <Dots trackers={trackers} />
      <Fit bounds={target} />
    </MapView>
  );
}

function Fit({ bounds }: { bounds: Bounds | undefined }) {
  useFit(bounds, 16);
  return null;
}

function Outline({ pieces }: { pieces: Polygon[] }) {
  const key = JSON.stringify(pieces);
  const data = useMemo(
    (): FeatureCollection => ({
      type: 'FeatureCollection',
      features: (JSON.parse(key) as Polygon[]).map((geometry) => ({ type: 'Feature', properties: {}, geometry })),
    }),
    [key],
  );
  useGeoJson('shape', data, edges);
  return null;
}

function Dots({ trackers }: { trackers: TrackerPosition[] }) {
  useGeoJson(
    'trackers',
    useMemo(() => positionFeatures(trackers), [trackers]),
    dots,
  );
  return null;
}

interface PinProps {
  shape: Extract<Shape, { kind: 'circle' }>;
  onChange: (shape: Shape) => void;
}

/** The centre of a circle: set by a click on the map, then dragged. */
function Pin({ shape, onChange }: PinProps) {
  const { center } = shape;
  const map = useMap();
  const moved = useEffectEvent((to: LatLng) => onChange({ ...shape, center: to }));
  useEffect(() => {
    const click = map.on('click', ({ lngLat }) => moved({ latitude: lngLat.lat, longitude: lngLat.wrap().lng }));
    return () => click.unsubscribe();
  }, [map]);
  useEffect(() => {
    if (!center) return;
    const pin = new Marker({ draggable: true, color: SHAPE_COLOR })
      .setLngLat([center.longitude, center.latitude])
      .addTo(map);
    pin.on('dragend', () => {
      const { lat, lng } = pin.getLngLat().wrap();
      moved({ latitude: lat, longitude: lng });
    });
    return () => void pin.remove();
  }, [map, center]);
  return null;
}
