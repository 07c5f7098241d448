// Small geometry for drawing: circles as polygons, bounds, centres. Decisions are made by the server, never from these.
import type { Polygon, Position } from 'geojson';

export interface LatLng {
  latitude: number;
  longitude: number;
}

/** West, south, east, north. */
export type Bounds = [number, number, number, number];

/** Where a map starts that will show what is found. */
export const WORLD = { center: { latitude: 25, longitude: 10 }, zoom: 0.8 };

const METRES_PER_DEGREE = 111_320;
const CORNERS = 64;

/** A circle on the ground as a polygon; good to a fraction of a percent up to some tens of kilometres. */
export function circlePolygon({ latitude, longitude }: LatLng, radius: number): Polygon {
  const dLat = radius / METRES_PER_DEGREE;
  // Towards the poles a degree of longitude gets short; at the pole itself any length would do.
  const dLng = dLat / Math.max(Math.cos((latitude * Math.PI) / 180), 1e-6);
  const ring: Position[] = [];
  for (let i = 0; i <= CORNERS; i++) {
    const angle = (2 * Math.PI * (i % CORNERS)) / CORNERS;
    ring.push([longitude + dLng * Math.cos(angle), latitude + dLat * Math.sin(angle)]);
  }
  return { type: 'Polygon', coordinates: [ring] };
}

/** The box around points, or undefined for none. Points on both sides of the date line give the wide box. */
export function boundsOf(points: Iterable<LatLng>): Bounds | undefined {
  let bounds: Bounds | undefined;
  for (const { latitude, longitude } of points) {
    bounds ??= [longitude, latitude, longitude, latitude];
    bounds = [
      Math.min(bounds[0], longitude),
      Math.min(bounds[1], latitude),
      Math.max(bounds[2], longitude),
      Math.max(bounds[3], latitude),
    ];
  }
  return bounds;
}

/** Whether a point lies in a polygon and in none of its holes: an odd number of edges are crossed on the way out. */
export function contains({ coordinates }: { coordinates: Position[][] }, { latitude, longitude }: LatLng): boolean {
  let inside = false;
  for (const ring of coordinates)
    eachEdge(ring, (x1, y1, x2, y2) => {
      const crossed = y1 > latitude !== y2 > latitude;
      if (crossed && longitude < x1 + ((latitude - y1) / (y2 - y1)) * (x2 - x1)) inside = !inside;
    });
  return inside;
}

/** A ring's area in square degrees; only for comparing. */
export function ringArea(ring: Position[]): number {
  return Math.abs(signedArea(ring));
}

/** A ring's centre of gravity. */
export function ringCentre(ring: Position[]): Position {
  const area = signedArea(ring);
  if (area === 0) return ring[0] ?? [0, 0];
  let [x, y] = [0, 0];
  eachEdge(ring, (x1, y1, x2, y2) => {
    const cross = x1 * y2 - x2 * y1;
    x += (x1 + x2) * cross;
    y += (y1 + y2) * cross;
  });
  return [x / (6 * area), y / (6 * area)];
}

function signedArea(ring: Position[]): number {
  let sum = 0;
  eachEdge(ring, (x1, y1, x2, y2) => (sum += x1 * y2 - x2 * y1));
  return sum / 2;
}

function eachEdge(ring: Position[], visit: (x1: number, y1: number, x2: number, y2: number) => void): void {
  for (let i = 0; i + 1 < ring.length; i++) {
    const [x1 = 0, y1 = 0] = ring[i] ?? [];
    const [x2 = 0, y2 = 0] = ring[i + 1] ?? [];
    visit(x1, y1, x2, y2);
  }
}
