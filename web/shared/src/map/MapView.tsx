// The map: base style in light and dark, controls, and a place for layers as children. Import it lazily: it brings MapLibre.
//
//   <MapView start={{ bounds }} label={t('…')}><PlaceLayer places={places} /></MapView>
import { AttributionControl, Map as MapLibre, NavigationControl, ScaleControl, setWorkerUrl } from 'maplibre-gl';
import 'maplibre-gl/dist/maplibre-gl.css';
import workerUrl from 'maplibre-gl/dist/maplibre-gl-worker.mjs?url';
import { useEffect, useEffectEvent, useRef, useState, type ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { useIsDark } from '../theme/theme';
import { cn } from '../ui/cn';
import { toast } from '../ui/toast';
import { tileProtocol } from './apiTiles';
import { loadBaseStyle } from './baseStyle';
import type { Bounds, LatLng } from './geometry';
import { FIT_PADDING, forgetMap, isOwn, MapContext } from './layers';
import './map.css';

export interface MapPlace {
  center: LatLng;
  zoom: number;
}

interface MapViewProps {
  /** What the map shows, for readers who cannot see it. */
  label?: string;
  /** Where it starts; later changes are ignored (see useFit in layers.ts). */
  start?: Partial<MapPlace> & { bounds?: Bounds | undefined };
  /** Called when the reader has moved the map. */
  onMoved?: (place: MapPlace, bounds: Bounds) => void;
  className?: string;
  /** Layers and controls: drawn once the map is ready. */
  children?: ReactNode;
}

setWorkerUrl(workerUrl);
tileProtocol();

const FIT = { padding: FIT_PADDING, maxZoom: 14 };
const EUROPE: MapPlace = { center: { latitude: 49, longitude: 11 }, zoom: 3.2 };

export function MapView({ label, start, onMoved, className, children }: MapViewProps) {
  const { t } = useTranslation('shared');
  const box = useRef<HTMLDivElement>(null);
  const dark = useIsDark();
  const [map, setMap] = useState<MapLibre>();
  const [ready, setReady] = useState(false);
  const [failed] = useState(() => !canDraw());
  const name = label ?? t('map.label');
  const moved = useEffectEvent((place: MapPlace, bounds: Bounds) => onMoved?.(place, bounds));
  const make = useEffectEvent((container: HTMLElement) => {
    const { center = EUROPE.center, zoom = EUROPE.zoom, bounds } = start ?? {};
    return new MapLibre({
      container,
      style: { version: 8, sources: {}, layers: [] },
      ...(bounds ? { bounds, fitBoundsOptions: FIT } : { center: [center.longitude, center.latitude], zoom }),
      maxZoom: 19,
      attributionControl: false,
      dragRotate: false,
      pitchWithRotate: false,
      touchPitch: false,
      locale: {
        'Map.Title': name,
        'NavigationControl.ZoomIn': t('map.zoomIn'),
        'NavigationControl.ZoomOut': t('map.zoomOut'),
        'AttributionControl.ToggleAttribution': t('map.attribution'),
      },
    });
  });

  useEffect(() => {
    const container = box.current;
    if (!container) return;
    const made = make(container);
    made.touchZoomRotate.disableRotation();
    made.addControl(new NavigationControl({ showCompass: false }), 'top-right');
    made.addControl(new ScaleControl(), 'bottom-left');
    made.addControl(new AttributionControl({ compact: true }), 'bottom-right');
    // Whoever takes a picture can wait until everything is there.
    made.on('dataloading', () => (container.dataset.pending = ''));
    made.on('idle', () => made.getStyle().layers.length > 0 && delete container.dataset.pending);
    made.on('moveend', (event) => {
      // Our own fits are no wish of the reader's.
      if (!event.originalEvent) return;
      const { lat, lng } = made.getCenter();
      const bounds = made.getBounds();
      moved({ center: { latitude: lat, longitude: lng }, zoom: made.getZoom() }, [
        bounds.getWest(),
        bounds.getSouth(),
        bounds.getEast(),
        bounds.getNorth(),
      ]);
    });
    setMap(made);
    return () => {
      forgetMap(made);
      made.remove();
      setMap(undefined);
      setReady(false);
    };
  }, []);

  useEffect(() => {
    if (!map) return;
    let current = true;
    void loadBaseStyle(dark)
      .then((style) => {
        if (!current) return;
        void map.once('style.load', () => setReady(true));
        map.setStyle(style, {
          diff: false,
          // The new base goes under the layers that are there.
          transformStyle: (before, next) => ({
            ...next,
            sources: { ...next.sources, ...own(before?.sources ?? {}) },
            layers: [...next.layers, ...(before?.layers.filter((layer) => isOwn(layer.id)) ?? [])],
          }),
        });
      })
      .catch((error: unknown) => current && toast.error(error));
    return () => {
      current = false;
    };
  }, [map, dark]);

  if (failed) return <p className={cn('p-6 text-center text-muted', className)}>{t('map.failed')}</p>;
  return (
    <div className={cn('relative isolate min-h-0 overflow-hidden', className)}>
      {/* MapLibre sets position: relative on it. */}
      <div ref={box} data-pending="" className="h-full w-full" />
      {map && ready && <MapContext value={map}>{children}</MapContext>}
    </div>
  );
}

function canDraw(): boolean {
  const context = document.createElement('canvas').getContext('webgl2');
  // Browsers allow only a few contexts at a time.
  context?.getExtension('WEBGL_lose_context')?.loseContext();
  return context !== null;
}

function own<T>(sources: Record<string, T>): Record<string, T> {
  return Object.fromEntries(Object.entries(sources).filter(([id]) => isOwn(id)));
}
