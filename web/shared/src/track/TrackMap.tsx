// A track on the map with a slider through time. Used for trackers and for share links; it is given what it shows.
import { formatTime } from '../i18n/format';
import { boundsOf } from '../map/geometry';
import { useFit, useGeoJson } from '../map/layers';
import { MapView } from '../map/MapView';
import { PlaceLayer, type Place } from '../map/PlaceLayer';
import { IconButton } from '../ui/Button';
import { Pause, Play } from 'lucide-react';
import { useEffect, useEffectEvent, useId, useMemo, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { trackFeatures, type TrackPoint } from './track';

interface TrackMapProps {
  name: string;
  points: TrackPoint[];
  places: Place[];
}

const AGE_COLOR = ['interpolate', ['linear'], ['get', 'age'], 0, '#7c3aed', 0.5, '#db2777', 1, '#ea580c'];
const is = (kind: string) => ['==', ['get', 'kind'], kind];

const LAYERS = [
  { id: 'accuracy', type: 'fill', filter: is('accuracy'), paint: { 'fill-color': '#ea580c', 'fill-opacity': 0.18 } },
  {
    id: 'way',
    type: 'line',
    filter: is('line'),
    layout: { 'line-cap': 'round' },
    paint: { 'line-color': AGE_COLOR, 'line-width': 3 },
  },
  {
    id: 'direction',
    type: 'symbol',
    filter: is('line'),
    layout: {
      'symbol-placement': 'line-center',
      'text-field': '▶',
      'text-size': 13,
      'text-font': ['system-ui', 'Noto Sans', 'sans-serif'],
      'text-keep-upright': false,
      'text-padding': 12,
    },
    paint: { 'text-color': AGE_COLOR, 'text-halo-color': '#ffffff', 'text-halo-width': 1.5 },
  },
  {
    id: 'points',
    type: 'circle',
    filter: is('point'),
    paint: {
      'circle-radius': ['case', ['get', 'doubtful'], 3, 4],
      'circle-color': ['case', ['get', 'doubtful'], '#94a3b8', AGE_COLOR],
      'circle-opacity': ['case', ['get', 'past'], 1, 0.25],
    },
  },
  {
    id: 'current',
    type: 'circle',
    filter: is('current'),
    paint: {
      'circle-radius': 8,
      'circle-color': '#ea580c',
      'circle-stroke-color': '#ffffff',
      'circle-stroke-width': 3,
    },
  },
];

/** Playing the whole track takes about this long, however many points it has. */
const PLAY_MS = 12_000;
const FASTEST_STEP_MS = 60;
const SLOWEST_STEP_MS = 700;

export function TrackMap({ name, points, places }: TrackMapProps) {
  const { t } = useTranslation('shared');
  const last = points.length - 1;
  // Undefined: at the newest, also when newer ones come.
  const [chosen, setChosen] = useState<number>();
  const current = Math.min(chosen ?? last, last);
  const bounds = boundsOf(points.map((point) => point.position));
  return (
    <div className="flex flex-col">
      <div className="h-80 md:h-96">
        <MapView className="h-full" label={t('track.label', { name })} start={{ bounds }}>
          <PlaceLayer places={places} />
          <Track points={points} current={current} />
          <Fit points={points} />
        </MapView>
      </div>
      {last > 0 && (
        <Slider points={points} current={current} onChange={(index) => setChosen(index >= last ? undefined : index)} />
      )}
    </div>
  );
}

function Track({ points, current }: { points: TrackPoint[]; current: number }) {
  const data = useMemo(() => trackFeatures(points, current), [points, current]);
  useGeoJson('track', data, LAYERS);
  return null;
}

function Fit({ points }: { points: TrackPoint[] }) {
  useFit(boundsOf(points.map((point) => point.position)), 15);
  return null;
}

interface SliderProps {
  points: TrackPoint[];
  current: number;
  onChange: (index: number) => void;
}

function Slider({ points, current, onChange }: SliderProps) {
  const { t } = useTranslation('shared');
  const id = useId();
  const [playing, setPlaying] = useState(false);
  const last = points.length - 1;
  const moment = formatTime(new Date(points[current]?.at ?? 0));
  const step = useEffectEvent(() => {
    if (current >= last) setPlaying(false);
    else onChange(current + 1);
  });
  useEffect(() => {
    if (!playing) return;
    const wait = Math.min(Math.max(PLAY_MS / last, FASTEST_STEP_MS), SLOWEST_STEP_MS);
    const timer = setInterval(() => step(), wait);
    return () => clearInterval(timer);
  }, [playing, last]);
  const play = () => {
    if (!playing && current >= last) onChange(0);
    setPlaying(!playing);
  };
  return (
    <div className="flex items-center gap-3 border-t border-line px-3 py-2">
      <IconButton
        label={t(playing ? 'track.pause' : 'track.play')}
        icon={playing ? <Pause aria-hidden className="size-5" /> : <Play aria-hidden className="size-5" />}
        onClick={play}
      />
      <label htmlFor={id} className="sr-only">
        {t('track.slider')}
      </label>
      <input
        id={id}
        type="range"
        min={0}
        max={last}
        value={current}
        aria-valuetext={moment}
        onChange={(event) => {
          setPlaying(false);
          onChange(event.target.valueAsNumber);
        }}
        className="h-9 min-w-0 flex-1 accent-accent"
      />
      <output htmlFor={id} className="w-36 text-right text-xs tabular-nums">
        {moment}
      </output>
    </div>
  );
}
