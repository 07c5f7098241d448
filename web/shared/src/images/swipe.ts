// What a finger's or pointer's way means in a gallery.

interface Point {
  x: number;
  y: number;
}

/** Shorter ways are taps. */
const SHORTEST_PX = 50;

/** 1: on to the next (a swipe to the left), -1: back, 0: neither (a tap, or rather up and down). */
export function swipeOf(from: Point, to: Point): -1 | 0 | 1 {
  const across = to.x - from.x;
  if (Math.abs(across) < SHORTEST_PX || Math.abs(across) < Math.abs(to.y - from.y)) return 0;
  return across < 0 ? 1 : -1;
}
