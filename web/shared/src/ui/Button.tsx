// Buttons: primary for the one main act of a view, danger for what destroys, plain and quiet for the rest.
import { LoaderCircle } from 'lucide-react';
import type { ComponentProps, ReactNode } from 'react';
import { cn } from './cn';

type Variant = 'primary' | 'plain' | 'quiet' | 'danger';

const VARIANTS: Record<Variant, string> = {
  primary: 'bg-accent text-on-accent hover:bg-accent-strong border-transparent',
  plain: 'bg-surface text-ink border-edge hover:bg-raised',
  quiet: 'bg-transparent text-ink border-transparent hover:bg-raised',
  danger: 'bg-danger-fill text-white border-transparent hover:brightness-110',
};

/** The look of a button for a link: <Link className={buttonClass('plain')}>. */
export function buttonClass(variant: Variant = 'plain', small = false): string {
  return cn(
    'inline-flex shrink-0 items-center justify-center gap-2 rounded-md border font-medium whitespace-nowrap transition-colors',
    'disabled:cursor-not-allowed disabled:opacity-60',
    small ? 'min-h-8 px-2.5 text-sm' : 'min-h-10 px-4',
    VARIANTS[variant],
  );
}

interface ButtonProps extends ComponentProps<'button'> {
  variant?: Variant;
  small?: boolean;
  /** Shows that the act is going on; clicks are ignored meanwhile. */
  busy?: boolean;
}

export function Button({ variant = 'plain', small, busy, className, children, disabled, ...rest }: ButtonProps) {
  return (
    <button
      type="button"
      {...rest}
      disabled={disabled || busy}
      aria-busy={busy || undefined}
      className={cn(buttonClass(variant, small), className)}
    >
      {busy && <LoaderCircle aria-hidden className="size-4 animate-spin" />}
      {children}
    </button>
  );
}

interface IconButtonProps extends Omit<ComponentProps<'button'>, 'children'> {
  /** What it does, for readers who cannot see the icon; also the tooltip. */
  label: string;
  icon: ReactNode;
}

export function IconButton({ label, icon, className, ...rest }: IconButtonProps) {
  return (
    <button
      type="button"
      aria-label={label}
      title={label}
      {...rest}
      className={cn(
        'inline-flex size-9 shrink-0 items-center justify-center rounded-md hover:bg-raised disabled:opacity-50 disabled:cursor-not-allowed',
        className,
      )}
    >
      {icon}
    </button>
  );
}
