// What layers of a map need: the map, sources and layers that live as long as their component, clicks, fitting.
import type { FeatureCollection } from 'geojson';
import type {
  AddLayerObject,
  GeoJSONSource,
  Map as MapLibre,
  MapGeoJSONFeature,
  MapLayerMouseEvent,
  SourceSpecification,
} from 'maplibre-gl';
import { createContext, useContext, useEffect, useEffectEvent } from 'react';
import type { Bounds } from './geometry';

export const MapContext = createContext<MapLibre | undefined>(undefined);

/** The map around this component, ready for sources and layers. */
export function useMap(): MapLibre {
  const map = useContext(MapContext);
  if (!map) throw new Error('useMap outside of <MapView>');
  return map;
}

// Ids of our own sources and layers carry a mark, so that they outlive a change of the base style.
const MARK = 'own-';

export function isOwn(id: string): boolean {
  return id.startsWith(MARK);
}

// React ends a parent's effects before its children's: layers may be taken away after their map.
const gone = new WeakSet<MapLibre>();

export function forgetMap(map: MapLibre): void {
  gone.add(map);
}

/** A layer without its source; its id is made from the source's and `id`. */
export type Layer = { id: string } & Record<string, unknown>;

/** The name of our source `id` in MapLibre. */
export function sourceId(id: string): string {
  return MARK + id;
}

export function layerId(source: string, layer: string): string {
  return `${sourceId(source)}-${layer}`;
}

/** Adds a source and its layers while the component is mounted. `source` and `layers` must be stable (constants or memos). */
export function useSource(id: string, source: SourceSpecification, layers: Layer[]): void {
  const map = useMap();
  useEffect(() => {
    const name = sourceId(id);
    map.addSource(name, source);
    for (const layer of layers)
      map.addLayer({ ...layer, id: layerId(id, layer.id), source: name } as unknown as AddLayerObject);
    return () => {
      if (gone.has(map)) return;
      for (const layer of layers) map.removeLayer(layerId(id, layer.id));
      map.removeSource(name);
    };
  }, [map, id, source, layers]);
}

const NOTHING: SourceSpecification = { type: 'geojson', data: { type: 'FeatureCollection', features: [] } };

/** Draws GeoJSON that may change. `layers` must be stable. */
export function useGeoJson(id: string, data: FeatureCollection, layers: Layer[]): void {
  const map = useMap();
  useSource(id, NOTHING, layers);
  useEffect(() => {
    void map.getSource<GeoJSONSource>(sourceId(id))?.setData(data);
  }, [map, id, data, layers]);
}

/** Calls `pick` with the topmost feature of the layers that is clicked, and shows a hand above them. */
export function usePick(layers: string[], pick: (feature: MapGeoJSONFeature, event: MapLayerMouseEvent) => void): void {
  const map = useMap();
  const picked = useEffectEvent(pick);
  const key = layers.join();
  useEffect(() => {
    const ids = key.split(',');
    const onClick = (event: MapLayerMouseEvent) => {
      const [feature] = event.features ?? [];
      if (feature) picked(feature, event);
    };
    const onEnter = () => (map.getCanvas().style.cursor = 'pointer');
    const onLeave = () => (map.getCanvas().style.cursor = '');
    const subscriptions = [
      map.on('click', ids, onClick),
      map.on('mouseenter', ids, onEnter),
      map.on('mouseleave', ids, onLeave),
    ];
    return () => {
      for (const subscription of subscriptions) subscription.unsubscribe();
    };
  }, [map, key]);
}

/** What is shown keeps away from the edges, and its name, which stands below it, from scale and attribution. */
export const FIT_PADDING = { top: 48, right: 48, bottom: 72, left: 48 };

/** Moves the map so that `bounds` is seen, each time another box is given. */
export function useFit(bounds: Bounds | undefined, maxZoom = 14): void {
  const map = useMap();
  const key = bounds?.join();
  useEffect(() => {
    if (!key) return;
    const [west = 0, south = 0, east = 0, north = 0] = key.split(',').map(Number);
    map.fitBounds([west, south, east, north], { padding: FIT_PADDING, maxZoom, duration: 400 });
  }, [map, key, maxZoom]);
}
