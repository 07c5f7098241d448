// The map on which a place is set: a click or a dragged pin for a circle, drawing by hand for a polygon. Loaded lazily.
import type { Polygon } from '@tracker/shared/api/schema.d.ts';
import { circlePolygon, type Bounds, type LatLng } from '@tracker/shared/map/geometry.ts';
import { useFit, useGeoJson, useMap } from '@tracker/shared/map/layers.ts';
import { MapView } from '@tracker/shared/map/MapView.tsx';
import type { Feature, FeatureCollection } from 'geojson';
import { Marker } from 'maplibre-gl';
import { useEffect, useEffectEvent, useMemo } from 'react';
import { TerraDraw, TerraDrawPolygonMode, TerraDrawSelectMode } from 'terra-draw';
import { TerraDrawMapLibreGLAdapter } from 'terra-draw-maplibre-gl-adapter';
import type { Shape } from './shape';
import { shapeBounds } from './shape';

interface ShapeMapProps {
  label: string;
  shape: Shape;
  /** Absent: the map only shows. */
  onChange?: (shape: Shape) => void;
  /** Moves the map: an address that was found. */
  target?: Bounds | undefined;
}

const COLOR = '#2563eb';
const layers = [
  { id: 'area', type: 'fill', paint: { 'fill-color': COLOR, 'fill-opacity': 0.2 } },
  { id: 'edge', type: 'line', paint: { 'line-color': COLOR, 'line-width': 2 } },
];
/** Finger-sized at the map's usual zoom; the API takes about a tenth of a millimetre. */
const PRECISION = 7;

export function ShapeMap({ label, shape, onChange, target }: ShapeMapProps) {
  const bounds = shapeBounds(shape);
  return (
    <MapView label={label} className="h-72 rounded-md border border-line md:h-96" start={{ bounds }}>
      {shape.kind === 'circle' ? (
        <Circle shape={shape} onChange={onChange} />
      ) : onChange ? (
        <Drawing polygon={shape.polygon} onChange={onChange} />
      ) : (
        <Outline polygon={shape.polygon} />
      )}
      <Fit bounds={target} />
    </MapView>
  );
}

function Fit({ bounds }: { bounds: Bounds | undefined }) {
  useFit(bounds, 16);
  return null;
}

function Outline({ polygon }: { polygon: Polygon | undefined }) {
  const data = useMemo((): FeatureCollection => {
    const feature = { type: 'Feature', properties: {}, geometry: polygon } as Feature;
    return { type: 'FeatureCollection', features: polygon ? [feature] : [] };
  }, [polygon]);
  useGeoJson('shape', data, layers);
  return null;
}

interface CircleProps {
  shape: Extract<Shape, { kind: 'circle' }>;
  onChange: ((shape: Shape) => void) | undefined;
}

function Circle({ shape, onChange }: CircleProps) {
  const { center, radius } = shape;
  const map = useMap();
  const polygon = useMemo(() => center && circlePolygon(center, radius), [center, radius]);
  const moved = useEffectEvent((to: LatLng) => onChange?.({ ...shape, center: to }));
  useEffect(() => {
    if (!onChange) return;
    const click = map.on('click', ({ lngLat }) => moved({ latitude: lngLat.lat, longitude: lngLat.wrap().lng }));
    return () => click.unsubscribe();
  }, [map, onChange]);
  useEffect(() => {
    if (!center || !onChange) return;
    const pin = new Marker({ draggable: true, color: COLOR }).setLngLat([center.longitude, center.latitude]).addTo(map);
    pin.on('dragend', () => {
      const { lat, lng } = pin.getLngLat().wrap();
      moved({ latitude: lat, longitude: lng });
    });
    return () => void pin.remove();
  }, [map, center, onChange]);
  return <Outline polygon={polygon} />;
}

const flags = { feature: { draggable: true, coordinates: { draggable: true, midpoints: true, deletable: true } } };

/** terra-draw: click corner after corner, the first one again to close; then corners can be dragged. */
function Drawing({ polygon, onChange }: { polygon: Polygon | undefined; onChange: (shape: Shape) => void }) {
  const map = useMap();
  const first = useEffectEvent(() => polygon);
  const changed = useEffectEvent((next: Polygon) => onChange({ kind: 'polygon', polygon: next }));
  useEffect(() => {
    const draw = new TerraDraw({
      adapter: new TerraDrawMapLibreGLAdapter({ map, coordinatePrecision: PRECISION }),
      modes: [
        new TerraDrawPolygonMode({ styles: { fillColor: COLOR, outlineColor: COLOR } }),
        new TerraDrawSelectMode({ flags: { polygon: flags } }),
      ],
    });
    draw.start();
    const known = first();
    const report = (id: string | number) => {
      const feature = draw.getSnapshot().find((each) => each.id === id);
      if (feature?.geometry.type === 'Polygon') changed(feature.geometry);
    };
    draw.on('finish', (id) => {
      report(id);
      if (draw.getMode() === 'polygon') {
        draw.setMode('select');
        draw.selectFeature(id);
      }
    });
    if (known) {
      const [result] = draw.addFeatures([{ type: 'Feature', properties: { mode: 'polygon' }, geometry: known }]);
      draw.setMode('select');
      if (result?.id !== undefined && result.valid) draw.selectFeature(result.id);
    } else draw.setMode('polygon');
    return () => draw.stop();
  }, [map]);
  return null;
}
