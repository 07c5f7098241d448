// The shape of a place or an area while it is being edited, and how it goes to the API.
import type { DeliveryLocation, ExclusionArea, Polygon } from '@tracker/shared/api/schema.d.ts';
import { boundsOf, circlePolygon, contains, type Bounds, type LatLng } from '@tracker/shared/map/geometry.ts';

export type Shape =
  | { kind: 'circle'; center: LatLng | undefined; radius: number }
  /** Places have one piece, exclusion areas any number. */
  | { kind: 'polygon'; pieces: Polygon[] };

/** As the API checks it. */
export const RADIUS = { min: 50, max: 50_000, step: 50, usual: 200 };

export function shapeOf(place: Pick<DeliveryLocation, 'center' | 'radius_m' | 'polygon'> | undefined): Shape {
  if (place?.polygon) return { kind: 'polygon', pieces: [place.polygon] };
  return { kind: 'circle', center: place?.center ?? undefined, radius: place?.radius_m ?? RADIUS.usual };
}

/** The fields of the API; a circle takes the place of a polygon and the other way round. */
export function shapeBody(shape: Shape): Record<string, unknown> {
  if (shape.kind === 'polygon') return { polygon: shape.pieces[0] ?? null, center: null };
  return { center: shape.center ?? null, radius_m: shape.radius, polygon: null };
}

export function piecesOf(area: ExclusionArea['area'] | undefined): Polygon[] {
  if (!area) return [];
  if (area.type === 'Polygon') return [area];
  return area.coordinates.map((coordinates) => ({ type: 'Polygon', coordinates }));
}

/** The other way round; nothing is drawn yet: undefined. */
export function areaOf([first, ...others]: Polygon[]): ExclusionArea['area'] | undefined {
  if (!first || others.length === 0) return first;
  return { type: 'MultiPolygon', coordinates: [first, ...others].map(({ coordinates }) => coordinates) };
}

export function isComplete(shape: Shape): boolean {
  return shape.kind === 'polygon' ? shape.pieces.length > 0 : shape.center !== undefined;
}

/** The polygons to draw: a circle's as well. */
export function outlines(shape: Shape): Polygon[] {
  if (shape.kind === 'polygon') return shape.pieces;
  return shape.center ? [circlePolygon(shape.center, shape.radius)] : [];
}

export function shapeBounds(shape: Shape): Bounds | undefined {
  const corners = outlines(shape).flatMap(({ coordinates }) => (coordinates[0] ?? []) as [number, number][]);
  return boundsOf(corners.map(([longitude, latitude]) => ({ latitude, longitude })));
}

export function isInside(shape: Shape, point: LatLng): boolean {
  return outlines(shape).some((piece) => contains(piece, point));
}

/** To the next step of 50 m, within the limits. */
export function roundRadius(metres: number): number {
  const stepped = Math.round(metres / RADIUS.step) * RADIUS.step;
  return Math.min(RADIUS.max, Math.max(RADIUS.min, stepped));
}
