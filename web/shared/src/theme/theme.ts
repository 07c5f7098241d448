// Light, dark, or as the system says. theme-init.js applies the stored choice before the first paint.
import { useSyncExternalStore } from 'react';

export const themes = ['system', 'light', 'dark'] as const;
export type Theme = (typeof themes)[number];

const STORED = 'theme';
const system = window.matchMedia('(prefers-color-scheme: dark)');
const listeners = new Set<() => void>();

function chosen(): Theme {
  const stored = localStorage.getItem(STORED);
  return stored === 'light' || stored === 'dark' ? stored : 'system';
}

function isDark(): boolean {
  return chosen() === 'dark' || (chosen() === 'system' && system.matches);
}

function apply(): void {
  document.documentElement.classList.toggle('dark', isDark());
  for (const listener of listeners) listener();
}

system.addEventListener('change', apply);
window.addEventListener('storage', (event) => event.key === STORED && apply());

export function setTheme(theme: Theme): void {
  if (theme === 'system') localStorage.removeItem(STORED);
  else localStorage.setItem(STORED, theme);
  apply();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** The user's choice. */
export function useTheme(): Theme {
  return useSyncExternalStore(subscribe, chosen);
}

/** Whether dark colours are shown now; for what CSS cannot colour (the map). */
export function useIsDark(): boolean {
  return useSyncExternalStore(subscribe, isDark);
}
