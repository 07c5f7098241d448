// The shape of a place while it is being edited, and how it goes to the API.
import type { DeliveryLocation, Polygon } from '@tracker/shared/api/schema.d.ts';
import { boundsOf, circlePolygon, type Bounds, type LatLng } from '@tracker/shared/map/geometry.ts';

export type Shape =
  { kind: 'circle'; center: LatLng | undefined; radius: number } | { kind: 'polygon'; polygon: Polygon | undefined };

/** As the API checks it. */
export const RADIUS = { min: 50, max: 50_000, step: 50, usual: 200 };

export function shapeOf(place: Pick<DeliveryLocation, 'center' | 'radius_m' | 'polygon'> | undefined): Shape {
  if (place?.polygon) return { kind: 'polygon', polygon: place.polygon };
  return { kind: 'circle', center: place?.center ?? undefined, radius: place?.radius_m ?? RADIUS.usual };
}

/** The fields of the API; a circle takes the place of a polygon and the other way round. */
export function shapeBody(shape: Shape): Record<string, unknown> {
  if (shape.kind === 'polygon') return { polygon: shape.polygon ?? null, center: null };
  return { center: shape.center ?? null, radius_m: shape.radius, polygon: null };
}

export function isComplete(shape: Shape): boolean {
  return shape.kind === 'polygon' ? shape.polygon !== undefined : shape.center !== undefined;
}

export function shapeBounds(shape: Shape): Bounds | undefined {
  const polygon = shape.kind === 'polygon' ? shape.polygon : shape.center && circlePolygon(shape.center, shape.radius);
  const ring = (polygon?.coordinates[0] ?? []) as [number, number][];
  return boundsOf(ring.map(([longitude, latitude]) => ({ latitude, longitude })));
}

/** To the next step of 50 m, within the limits. */
export function roundRadius(metres: number): number {
  const stepped = Math.round(metres / RADIUS.step) * RADIUS.step;
  return Math.min(RADIUS.max, Math.max(RADIUS.min, stepped));
}
