// A modal dialog: focus stays inside, Escape closes, the opener gets the focus back (Radix).
import { X } from 'lucide-react';
import { Dialog as Radix } from 'radix-ui';
import type { ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { IconButton } from './Button';
import { cn } from './cn';

interface DialogProps {
  title: string;
  description?: ReactNode;
  open: boolean;
  onClose: () => void;
  /** Buttons, right below the content. */
  footer?: ReactNode;
  wide?: boolean;
  children?: ReactNode;
}

export const overlayClass = 'fixed inset-0 z-40 bg-black/50';
export const panelClass =
  'fixed top-1/2 left-1/2 z-50 flex max-h-[calc(100dvh-2rem)] w-[calc(100vw-1.5rem)] -translate-x-1/2 -translate-y-1/2 ' +
  'flex-col rounded-lg border border-line bg-surface shadow-xl';

export function Dialog({ title, description, open, onClose, footer, wide, children }: DialogProps) {
  const { t } = useTranslation('shared');
  return (
    <Radix.Root open={open} onOpenChange={(next) => !next && onClose()}>
      <Radix.Portal>
        <Radix.Overlay className={overlayClass} />
        <Radix.Content
          className={cn(panelClass, wide ? 'max-w-3xl' : 'max-w-lg')}
          {...(description ? {} : { 'aria-describedby': undefined })}
        >
          <div className="flex items-start justify-between gap-4 border-b border-line px-5 py-3">
            <Radix.Title className="text-lg font-semibold">{title}</Radix.Title>
            <Radix.Close asChild>
              <IconButton label={t('action.close')} icon={<X aria-hidden className="size-5" />} />
            </Radix.Close>
          </div>
          <div className="flex min-h-0 flex-col gap-4 overflow-y-auto px-5 py-4">
            {description && <Radix.Description className="text-muted">{description}</Radix.Description>}
            {children}
          </div>
          {footer && <div className="flex flex-wrap justify-end gap-2 border-t border-line px-5 py-3">{footer}</div>}
        </Radix.Content>
      </Radix.Portal>
    </Radix.Root>
  );
}
