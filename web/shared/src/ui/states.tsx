// What stands where content will be: loading, nothing, failure.
import { CircleAlert, Inbox, LoaderCircle } from 'lucide-react';
import type { ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { errorText } from '../api/errorText';
import { ApiError } from '../api/problem';
import { Button } from './Button';

export function Loading() {
  const { t } = useTranslation('shared');
  return (
    <div data-pending role="status" className="flex items-center justify-center gap-3 p-10 text-muted">
      <LoaderCircle aria-hidden className="size-5 animate-spin" />
      {t('state.loading')}
    </div>
  );
}

export function Empty({ title, children }: { title?: string; children?: ReactNode }) {
  const { t } = useTranslation('shared');
  return (
    <div className="flex flex-col items-center gap-3 p-10 text-center text-muted">
      <Inbox aria-hidden className="size-8" />
      <p>{title ?? t('state.empty')}</p>
      {children}
    </div>
  );
}

export function Failure({ error, onRetry }: { error: unknown; onRetry?: () => void }) {
  const { t } = useTranslation('shared');
  const gone = error instanceof ApiError && error.status === 404;
  return (
    <div role="alert" className="flex flex-col items-center gap-3 p-10 text-center">
      <CircleAlert aria-hidden className="size-8 text-danger" />
      <p className="font-medium">{gone ? t('state.notFound') : t('state.failed')}</p>
      <p className="text-muted">{gone ? t('state.notFoundText') : errorText(error)}</p>
      {onRetry && !gone && <Button onClick={onRetry}>{t('action.retry')}</Button>}
    </div>
  );
}

interface QueryLike<T> {
  data: T | undefined;
  error: unknown;
  isPending: boolean;
  refetch: () => unknown;
}

/** Shows a query's data, or why there is none. Old data stays visible while it is being renewed. */
export function Await<T>({ query, children }: { query: QueryLike<T>; children: (data: T) => ReactNode }) {
  if (query.data !== undefined) return children(query.data);
  if (query.error) return <Failure error={query.error} onRetry={() => void query.refetch()} />;
  return <Loading />;
}
