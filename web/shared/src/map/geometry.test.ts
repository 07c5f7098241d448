import { describe, expect, it } from 'vitest';
import { boundsOf, circlePolygon, contains, ringArea, ringCentre } from './geometry';

const square = [
  [0, 0],
  [4, 0],
  [4, 2],
  [0, 2],
  [0, 0],
];

describe('circlePolygon', () => {
  it('is closed and keeps its radius in metres at 60° north', () => {
    const [ring = []] = circlePolygon({ latitude: 60, longitude: 10 }, 1000).coordinates;
    expect(ring[0]).toEqual(ring.at(-1));
    const east = Math.max(...ring.map(([x = 0]) => x)) - 10;
    const north = Math.max(...ring.map(([, y = 0]) => y)) - 60;
    expect(east * 111_320 * Math.cos(Math.PI / 3)).toBeCloseTo(1000, 6);
    expect(north * 111_320).toBeCloseTo(1000, 6);
  });

  it('stays finite at the pole', () => {
    for (const [x, y] of circlePolygon({ latitude: 90, longitude: 0 }, 50).coordinates[0] ?? [])
      expect(Number.isFinite(x) && Number.isFinite(y)).toBe(true);
  });
});

describe('boundsOf', () => {
  it('is undefined for nothing, a point for one, the box for many', () => {
    expect(boundsOf([])).toBeUndefined();
    expect(boundsOf([{ latitude: 1, longitude: 2 }])).toEqual([2, 1, 2, 1]);
    expect(
      boundsOf([
        { latitude: 1, longitude: 2 },
        { latitude: -3, longitude: 5 },
      ]),
    ).toEqual([2, -3, 5, 1]);
  });
});

describe('rings', () => {
  it('have an area and a centre in either direction', () => {
    expect(ringArea(square)).toBe(8);
    expect(ringCentre(square)).toEqual([2, 1]);
    expect(ringCentre([...square].reverse())).toEqual([2, 1]);
  });

  it('without an area have their first point as centre', () => {
    expect(ringCentre([])).toEqual([0, 0]);
    expect(ringCentre([[3, 4]])).toEqual([3, 4]);
  });
});

it('a point is in a polygon, but not in its hole', () => {
  const hole = [
    [1, 0.5],
    [3, 0.5],
    [3, 1.5],
    [1, 1.5],
    [1, 0.5],
  ];
  const at = (longitude: number, latitude: number) =>
    contains({ coordinates: [square, hole] }, { latitude, longitude });
  expect(at(0.5, 1)).toBe(true);
  expect(at(2, 1)).toBe(false);
  expect(at(3.5, 1)).toBe(true);
  expect(at(4.1, 1)).toBe(false);
  expect(at(2, -0.1)).toBe(false);
});
