import { expect, it } from 'vitest';
import { swipeOf } from './swipe';

const from = { x: 200, y: 200 };

it('goes on to the left and back to the right', () => {
  expect(swipeOf(from, { x: 150, y: 200 })).toBe(1);
  expect(swipeOf(from, { x: 250, y: 200 })).toBe(-1);
});

it('takes short ways and rather vertical ones for nothing', () => {
  expect(swipeOf(from, { x: 151, y: 200 })).toBe(0);
  expect(swipeOf(from, { x: 140, y: 261 })).toBe(0);
  expect(swipeOf(from, { x: 140, y: 260 })).toBe(1);
});
