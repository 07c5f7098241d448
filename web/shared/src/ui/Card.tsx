// A titled box, and the head of a page.
import type { ReactNode } from 'react';
import { cn } from './cn';

interface CardProps {
  title?: string;
  actions?: ReactNode;
  className?: string;
  /** No inner margin: for tables and maps. */
  flush?: boolean;
  children: ReactNode;
}

export function Card({ title, actions, className, flush, children }: CardProps) {
  return (
    <section className={cn('flex min-w-0 flex-col rounded-lg border border-line bg-surface', className)}>
      {title && (
        <div className="flex min-h-12 flex-wrap items-center justify-between gap-2 border-b border-line px-4 py-2">
          <h2 className="font-semibold">{title}</h2>
          {actions}
        </div>
      )}
      <div className={cn('min-h-0 min-w-0 flex-1', !flush && 'p-4')}>{children}</div>
    </section>
  );
}

interface PageHeadProps {
  title: ReactNode;
  /** Above the title: where this page belongs. */
  trail?: ReactNode;
  /** Beside the title: badges. */
  beside?: ReactNode;
  actions?: ReactNode;
}

export function PageHead({ title, trail, beside, actions }: PageHeadProps) {
  return (
    <header className="flex flex-wrap items-end justify-between gap-3">
      <div className="min-w-0">
        {trail && <div className="text-muted">{trail}</div>}
        <div className="flex flex-wrap items-center gap-3">
          <h1 className="text-2xl font-semibold break-words">{title}</h1>
          {beside}
        </div>
      </div>
      {actions && <div className="flex flex-wrap gap-2">{actions}</div>}
    </header>
  );
}
