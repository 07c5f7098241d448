// The order of a gallery: only what changes is written, and a gallery that never had an order gets one.
import { expect, it } from 'vitest';
import { nextPosition, reordered } from './order';

const ordered = [10, 11, 12, 13].map((id, position) => ({ id, position }));

it('changes the images between the two places', () => {
  expect(reordered(ordered, 0, 1)).toEqual([
    { id: 11, position: 0 },
    { id: 10, position: 1 },
  ]);
  expect(reordered(ordered, 3, 1)).toEqual([
    { id: 13, position: 1 },
    { id: 11, position: 2 },
    { id: 12, position: 3 },
  ]);
});

it('writes nothing when nothing moves', () => {
  expect(reordered(ordered, 2, 2)).toEqual([]);
  expect(reordered([], 0, 0)).toEqual([]);
});

it('numbers images that all stood at 0', () => {
  const unordered = [20, 21, 22].map((id) => ({ id, position: 0 }));
  expect(reordered(unordered, 2, 0)).toEqual([
    { id: 20, position: 1 },
    { id: 21, position: 2 },
  ]);
});

it('puts a new image behind the others', () => {
  expect(nextPosition([])).toBe(0);
  expect(nextPosition(ordered)).toBe(4);
  expect(nextPosition([{ id: 1, position: -5 }])).toBe(0);
});
