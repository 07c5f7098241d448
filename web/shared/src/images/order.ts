// The order of a gallery: which positions change when one image takes another place.

interface Placed {
  id: number;
  position: number;
}

/** `images` as they are shown; the one at `from` shall stand at `to`. Only what has to be written. */
export function reordered(images: readonly Placed[], from: number, to: number): Placed[] {
  const order = [...images];
  const [taken] = order.splice(from, 1);
  if (taken) order.splice(to, 0, taken);
  return order
    .map(({ id }, position) => ({ id, position }))
    .filter((now, index) => order[index]?.position !== now.position);
}

/** Behind all the others: where a new image goes. */
export function nextPosition(images: readonly Placed[]): number {
  return images.reduce((next, { position }) => Math.max(next, position + 1), 0);
}
