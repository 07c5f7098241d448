// Shapes of places: the steps of a radius, and what goes to the API.
import { expect, it } from 'vitest';
import { areaOf, isComplete, isInside, piecesOf, roundRadius, shapeBody, shapeBounds, shapeOf } from './shape';

const center = { latitude: 52, longitude: 13 };
const polygon = {
  type: 'Polygon' as const,
  coordinates: [
    [
      [13, 52],
      [13.1, 52],
      [13.1, 52.1],
      [13, 52],
    ],
  ],
};

it.each([
  [0, 50],
  [74, 50],
  [75, 100],
  [224, 200],
  [49_990, 50_000],
  [60_000, 50_000],
])('a radius of %d m becomes %d m', (given, rounded) => expect(roundRadius(given)).toBe(rounded));

it('a new place is a circle of the usual size without a centre', () => {
  expect(shapeOf(undefined)).toEqual({ kind: 'circle', center: undefined, radius: 200 });
  expect(isComplete(shapeOf(undefined))).toBe(false);
});

it('a circle takes the place of a polygon, and the other way round', () => {
  expect(shapeBody({ kind: 'circle', center, radius: 300 })).toEqual({ center, radius_m: 300, polygon: null });
  expect(shapeBody({ kind: 'polygon', pieces: [polygon] })).toEqual({ polygon, center: null });
});

it('finds the box around a shape', () => {
  expect(shapeBounds({ kind: 'polygon', pieces: [polygon] })).toEqual([13, 52, 13.1, 52.1]);
  expect(shapeBounds({ kind: 'circle', center: undefined, radius: 50 })).toBeUndefined();
});

it('an area of several pieces comes back as it was', () => {
  const area = { type: 'MultiPolygon' as const, coordinates: [polygon.coordinates, polygon.coordinates] };
  expect(piecesOf(area)).toEqual([polygon, polygon]);
  expect(areaOf(piecesOf(area))).toEqual(area);
  expect(areaOf(piecesOf(polygon))).toEqual(polygon);
  expect(areaOf(piecesOf(undefined))).toBeUndefined();
});

it('counts as inside what lies in any piece or in the circle', () => {
  const shape = { kind: 'polygon' as const, pieces: [polygon] };
  expect(isInside(shape, { latitude: 52.01, longitude: 13.05 })).toBe(true);
  expect(isInside(shape, { latitude: 52.09, longitude: 13.01 })).toBe(false);
  const circle = { kind: 'circle' as const, center, radius: 1000 };
  expect(isInside(circle, { latitude: 52.0089, longitude: 13 })).toBe(true);
  expect(isInside(circle, { latitude: 52.0091, longitude: 13 })).toBe(false);
});
