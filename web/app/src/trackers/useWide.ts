// Whether map and list fit side by side: Tailwind's `lg`. In code, because the map must not be loaded where it is not seen.
import { useSyncExternalStore } from 'react';

const media = window.matchMedia('(min-width: 64rem)');

function subscribe(listener: () => void): () => void {
  media.addEventListener('change', listener);
  return () => media.removeEventListener('change', listener);
}

export function useWide(): boolean {
  return useSyncExternalStore(subscribe, () => media.matches);
}
