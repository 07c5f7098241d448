// A tracker's track: what the history endpoint answers as points in time, and what the map draws of them up to a moment.
import type { HistoryBucket, HistoryPosition } from '../api/schema';
import { circlePolygon, type LatLng } from '../map/geometry';
import type { Feature, FeatureCollection } from 'geojson';

export interface TrackPoint {
  /** Milliseconds since 1970. */
  at: number;
  position: LatLng;
  accuracy: number;
  /** Kept and shown, but not believed: it belongs to no line. */
  doubtful: boolean;
}

/** Points in the order of time. A summary of an hour or a day is shown by its most accurate position. */
export function trackPoints(items: (HistoryPosition | HistoryBucket)[]): TrackPoint[] {
  const points = items.map((item): TrackPoint => {
    if ('best' in item) {
      const { at, position, accuracy_m } = item.best;
      return { at: Date.parse(at), position, accuracy: accuracy_m, doubtful: false };
    }
    const doubtful = item.flag !== null;
    return { at: Date.parse(item.at), position: item.position, accuracy: item.accuracy_m, doubtful };
  });
  return points.sort((a, b) => a.at - b.at);
}

/** Of points in the order of time, the index of the last one at or before `moment`; -1 when all are later. */
export function indexAt(points: TrackPoint[], moment: number): number {
  let [low, high] = [0, points.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((points[middle]?.at ?? Infinity) <= moment) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/**
 * What is drawn when the slider stands at points[current]: the way there, all points, and the accuracy of the current one.
 * `age` of a piece runs from 0 (oldest of the whole track) to 1 (newest), for its colour.
 */
export function trackFeatures(points: TrackPoint[], current: number): FeatureCollection {
  const begin = points[0]?.at ?? 0;
  const span = Math.max((points.at(-1)?.at ?? 0) - begin, 1);
  const age = (point: TrackPoint) => (point.at - begin) / span;
  const features: Feature[] = [];
  let before: TrackPoint | undefined;
  points.forEach((point, index) => {
    const { doubtful } = point;
    if (!doubtful) {
      if (before && index <= current) features.push(line(before, point, age(point)));
      before = point;
    }
    const properties = { kind: 'point', index, age: age(point), doubtful, past: index <= current };
    features.push({
      type: 'Feature',
      properties,
      geometry: { type: 'Point', coordinates: coordinates(point.position) },
    });
  });
  const now = points[current];
  if (now) {
    const circle = circlePolygon(now.position, now.accuracy);
    features.push({ type: 'Feature', properties: { kind: 'accuracy' }, geometry: circle });
    const here = { type: 'Point' as const, coordinates: coordinates(now.position) };
    features.push({ type: 'Feature', properties: { kind: 'current' }, geometry: here });
  }
  return { type: 'FeatureCollection', features };
}

function line(from: TrackPoint, to: TrackPoint, age: number): Feature {
  const ends = [coordinates(from.position), coordinates(to.position)];
  return { type: 'Feature', properties: { kind: 'line', age }, geometry: { type: 'LineString', coordinates: ends } };
}

function coordinates({ latitude, longitude }: LatLng): [number, number] {
  return [longitude, latitude];
}
