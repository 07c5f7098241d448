// Short messages about what has just happened: `toast.success(text)`, `toast.error(error)`. <ToastHost> shows them.
import { lazy, Suspense, useSyncExternalStore } from 'react';
import { errorText } from '../api/errorText';

type Kind = 'success' | 'error' | 'info';

export interface Message {
  id: number;
  kind: Kind;
  text: string;
}

let messages: Message[] = [];
let lastId = 0;
const listeners = new Set<() => void>();

function change(next: Message[]): void {
  messages = next;
  for (const listener of listeners) listener();
}

function add(kind: Kind, text: string): void {
  // The same message again replaces the one that is shown.
  change([...messages.filter((message) => message.text !== text), { id: ++lastId, kind, text }]);
}

export const toast = {
  success: (text: string) => add('success', text),
  info: (text: string) => add('info', text),
  error: (error: unknown) => add('error', typeof error === 'string' ? error : errorText(error)),
};

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

// Most visits show none, so their look is loaded with the first.
const Toasts = lazy(() => import('./Toasts').then((module) => ({ default: module.Toasts })));

export function ToastHost() {
  const shown = useSyncExternalStore(subscribe, () => messages);
  if (lastId === 0) return null;
  return (
    <Suspense>
      <Toasts shown={shown} onClose={(id) => change(messages.filter((message) => message.id !== id))} />
    </Suspense>
  );
}
