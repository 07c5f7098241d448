// The frame of the pages before sign-in.
import { MapPinned } from 'lucide-react';
import type { ReactNode } from 'react';
import { Preferences } from './Preferences';
import { getProduct } from './product';

export function EntryLayout({ title, children }: { title: string; children: ReactNode }) {
  return (
    <div className="flex min-h-full flex-col items-center justify-center gap-6 p-4">
      <header className="flex items-center gap-2 text-lg font-semibold">
        <MapPinned aria-hidden className="size-6 text-link" />
        {getProduct()}
      </header>
      <main className="flex w-full max-w-sm flex-col gap-4 rounded-lg border border-line bg-surface p-6 shadow-sm">
        <h1 className="text-xl font-semibold">{title}</h1>
        {children}
      </main>
      <footer>
        <Preferences />
      </footer>
    </div>
  );
}
