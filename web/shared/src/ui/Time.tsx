// A moment as “3 hours ago” with the exact time beside it on hover, kept up to date.
import { useSyncExternalStore } from 'react';
import { formatRelative, formatTime } from '../i18n/format';

const TICK_MS = 30_000;
let now = Date.now();
let timer: ReturnType<typeof setInterval> | undefined;
const listeners = new Set<() => void>();

// One timer for all moments on the page.
function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  if (timer === undefined) now = Date.now();
  timer ??= setInterval(() => {
    now = Date.now();
    for (const each of listeners) each();
  }, TICK_MS);
  return () => {
    listeners.delete(listener);
    if (listeners.size === 0) {
      clearInterval(timer);
      timer = undefined;
    }
  };
}

/** The time of the last tick; renders again with each tick. */
export function useNow(): number {
  return useSyncExternalStore(subscribe, () => now);
}

interface TimeProps {
  value: string | null | undefined;
  /** Shown instead of the relative form. */
  exact?: boolean;
  /** Stands for no time. */
  empty?: string;
}

export function Time({ value, exact, empty = '–' }: TimeProps) {
  const current = useNow();
  if (!value) return <>{empty}</>;
  return (
    <time dateTime={value} title={formatTime(value)} className="whitespace-nowrap">
      {exact ? formatTime(value) : formatRelative(value, current)}
    </time>
  );
}
