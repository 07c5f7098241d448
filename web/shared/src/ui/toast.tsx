// Short messages about what has just happened: `toast.success(text)`, `toast.error(error)`. <ToastHost> shows them.
import { CircleAlert, CircleCheck, Info, X } from 'lucide-react';
import { Toast as Radix } from 'radix-ui';
import { useSyncExternalStore } from 'react';
import { useTranslation } from 'react-i18next';
import { errorText } from '../api/errorText';
import { IconButton } from './Button';
import { cn } from './cn';

type Kind = 'success' | 'error' | 'info';

interface Message {
  id: number;
  kind: Kind;
  text: string;
}

const SHOW_MS = { success: 5000, info: 5000, error: 12_000 };
const LOOKS = {
  success: { icon: CircleCheck, className: 'text-success' },
  error: { icon: CircleAlert, className: 'text-danger' },
  info: { icon: Info, className: 'text-info' },
};

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

export function ToastHost() {
  const { t } = useTranslation('shared');
  const shown = useSyncExternalStore(subscribe, () => messages);
  return (
    <Radix.Provider swipeDirection="right" label={t('toast.label')}>
      {shown.map(({ id, kind, text }) => {
        const Icon = LOOKS[kind].icon;
        return (
          <Radix.Root
            key={id}
            type={kind === 'error' ? 'foreground' : 'background'}
            duration={SHOW_MS[kind]}
            onOpenChange={(open) => !open && change(messages.filter((message) => message.id !== id))}
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
