// Questions before something is lost: `if (await confirm({ title, text, act })) …`. <ConfirmHost> shows them.
import { AlertDialog } from 'radix-ui';
import { useSyncExternalStore, type ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { buttonClass } from './Button';
import { cn } from './cn';
import { overlayClass, panelClass } from './Dialog';

interface Question {
  title: string;
  /** What is lost or changed, by name. */
  text: ReactNode;
  /** The verb on the button that goes on: “Delete”, not “OK”. */
  act: string;
  danger?: boolean;
}

let open: (Question & { answer: (yes: boolean) => void }) | undefined;
const listeners = new Set<() => void>();

function show(question: typeof open): void {
  open = question;
  for (const listener of listeners) listener();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Resolves to true when the user goes on. A second question answers the first with false. */
export function confirm(question: Question): Promise<boolean> {
  open?.answer(false);
  return new Promise((resolve) => show({ ...question, answer: resolve }));
}

function answer(yes: boolean): void {
  open?.answer(yes);
  show(undefined);
}

export function ConfirmHost() {
  const { t } = useTranslation('shared');
  const question = useSyncExternalStore(subscribe, () => open);
  return (
    <AlertDialog.Root open={question !== undefined} onOpenChange={(next) => !next && answer(false)}>
      <AlertDialog.Portal>
        <AlertDialog.Overlay className={overlayClass} />
        <AlertDialog.Content className={cn(panelClass, 'max-w-md gap-4 p-5')}>
          <AlertDialog.Title className="text-lg font-semibold">{question?.title}</AlertDialog.Title>
          <AlertDialog.Description asChild>
            <div className="overflow-y-auto text-muted">{question?.text}</div>
          </AlertDialog.Description>
          <div className="flex flex-wrap justify-end gap-2">
            <AlertDialog.Cancel className={buttonClass('plain')}>{t('action.cancel')}</AlertDialog.Cancel>
            <AlertDialog.Action
              className={buttonClass(question?.danger ? 'danger' : 'primary')}
              onClick={() => answer(true)}
            >
              {question?.act}
            </AlertDialog.Action>
          </div>
        </AlertDialog.Content>
      </AlertDialog.Portal>
    </AlertDialog.Root>
  );
}
