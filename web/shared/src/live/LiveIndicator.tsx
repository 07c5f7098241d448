// Tells whether changes still arrive by themselves.
import { useTranslation } from 'react-i18next';
import { cn } from '../ui/cn';
import { useLiveState } from './useLive';

const DOT = { open: 'bg-success', connecting: 'bg-warning animate-pulse', closed: 'bg-danger' };

export function LiveIndicator() {
  const { t } = useTranslation('shared');
  const state = useLiveState();
  return (
    <span
      role="status"
      title={state === 'closed' ? t('live.closedText') : t('live.openText')}
      className="inline-flex items-center gap-1.5 px-1 text-xs text-muted"
    >
      <span aria-hidden className={cn('size-2 rounded-full', DOT[state])} />
      <span className={state === 'open' ? 'max-md:sr-only' : undefined}>{t(`live.${state}`)}</span>
    </span>
  );
}
