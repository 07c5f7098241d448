// How toasts look (Radix): announced to screen readers, swiped or clicked away, gone by themselves.
import { CircleAlert, CircleCheck, Info, X } from 'lucide-react';
import { Toast as Radix } from 'radix-ui';
import { useTranslation } from 'react-i18next';
import { IconButton } from './Button';
import { cn } from './cn';
import type { Message } from './toast';

const SHOW_MS = { success: 5000, info: 5000, error: 12_000 };
const LOOKS = {
  success: { icon: CircleCheck, className: 'text-success' },
  error: { icon: CircleAlert, className: 'text-danger' },
  info: { icon: Info, className: 'text-info' },
};

export function Toasts({ shown, onClose }: { shown: Message[]; onClose: (id: number) => void }) {
  const { t } = useTranslation('shared');
  return (
    <Radix.Provider swipeDirection="right" label={t('toast.label')}>
      {shown.map(({ id, kind, text }) => {
        const Icon = LOOKS[kind].icon;
        return (
          <Radix.Root
            key={id}
            type={kind === 'error' ? 'foreground' : 'background'}
            duration={SHOW_MS[kind]}
            onOpenChange={(open) => !open && onClose(id)}
            className="flex items-start gap-3 rounded-lg border border-line bg-surface p-3 shadow-lg"
          >
            <Icon aria-hidden className={cn('mt-0.5 size-5 shrink-0', LOOKS[kind].className)} />
            <Radix.Description className="min-w-0 flex-1 break-words">{text}</Radix.Description>
            <Radix.Close asChild>
              <IconButton className="size-6" label={t('action.close')} icon={<X aria-hidden className="size-4" />} />
            </Radix.Close>
          </Radix.Root>
        );
      })}
      <Radix.Viewport
        label={t('toast.label')}
        className="fixed right-3 bottom-3 z-[60] flex w-[min(24rem,calc(100vw-1.5rem))] flex-col gap-2"
      />
    </Radix.Provider>
  );
}
