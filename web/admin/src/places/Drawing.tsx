// Draws polygons by hand (terra-draw): click corner after corner, the first one again to close; then corners can be dragged.
import type { Polygon } from '@tracker/shared/api/schema.d.ts';
import { useGeoJson, useMap } from '@tracker/shared/map/layers.ts';
import type { FeatureCollection } from 'geojson';
import { useEffect, useEffectEvent, useRef, useState } from 'react';
import { TerraDraw, TerraDrawPolygonMode, TerraDrawSelectMode } from 'terra-draw';
import { TerraDrawMapLibreGLAdapter } from 'terra-draw-maplibre-gl-adapter';

export const SHAPE_COLOR = '#2563eb';

interface DrawingProps {
  pieces: Polygon[];
  /** The next polygon is one more; otherwise those that are there are changed. */
  adding: boolean;
  onChange: (pieces: Polygon[]) => void;
}

const flags = { feature: { draggable: true, coordinates: { draggable: true, midpoints: true, deletable: true } } };
/** Decimals of a degree, about a centimetre. */
const PRECISION = 7;

const keptEdges = [{ id: 'edge', type: 'line', paint: { 'line-color': SHAPE_COLOR, 'line-width': 2 } }];

export function Drawing({ pieces, adding, onChange }: DrawingProps) {
  const map = useMap();
  const pen = useRef<TerraDraw>(undefined);
  // The pen cannot draw holes: such a piece is shown and kept as it is.
  const [{ known, kept, keptData }] = useState(() => sorted(pieces));
  const changed = useEffectEvent((drawn: Polygon[]) => onChange([...kept, ...drawn]));
  useGeoJson('kept', keptData, keptEdges);
  useEffect(() => {
    const draw = new TerraDraw({
      adapter: new TerraDrawMapLibreGLAdapter({ map, coordinatePrecision: PRECISION }),
      modes: [
        new TerraDrawPolygonMode({ styles: { fillColor: SHAPE_COLOR, outlineColor: SHAPE_COLOR } }),
        new TerraDrawSelectMode({ flags: { polygon: flags } }),
      ],
    });
    draw.start();
    const added = draw.addFeatures(
      known.map((geometry) => ({ type: 'Feature', properties: { mode: 'polygon' }, geometry })),
    );
    const first = added.find(({ valid }) => valid)?.id;
    if (first === undefined) draw.setMode('polygon');
    else {
      draw.setMode('select');
      draw.selectFeature(first);
    }
    draw.on('finish', (id) => {
      changed(polygonsOf(draw));
      if (draw.getMode() !== 'polygon') return;
      draw.setMode('select');
      draw.selectFeature(id);
    });
    draw.on('change', (_ids, type) => {
      // The Delete key takes the selected piece away, also the last one.
      if (type !== 'delete' || draw.getMode() !== 'select') return;
      const left = polygonsOf(draw);
      changed(left);
      if (left.length === 0) draw.setMode('polygon');
    });
    pen.current = draw;
    return () => draw.stop();
  }, [map, known]);
  useEffect(() => {
    if (adding) pen.current?.setMode('polygon');
  }, [adding]);
  return null;
}

function sorted(pieces: Polygon[]): { known: Polygon[]; kept: Polygon[]; keptData: FeatureCollection } {
  const kept = pieces.filter(({ coordinates }) => coordinates.length > 1);
  return {
    kept,
    known: pieces.filter(({ coordinates }) => coordinates.length === 1),
    keptData: {
      type: 'FeatureCollection',
      features: kept.map((geometry) => ({ type: 'Feature', properties: {}, geometry })),
    },
  };
}

function polygonsOf(draw: TerraDraw): Polygon[] {
  return draw
    .getSnapshot()
    .flatMap(({ geometry, properties }) =>
      geometry.type === 'Polygon' && properties.mode === 'polygon' && !properties.currentlyDrawing
        ? [geometry as Polygon]
        : [],
    );
}
