// Pages for addresses that lead nowhere and for pages that broke.
import { Link, type ErrorComponentProps } from '@tanstack/react-router';
import { SearchX, TriangleAlert } from 'lucide-react';
import { useTranslation } from 'react-i18next';
import { errorText } from '../api/errorText';
import { Button, buttonClass } from '../ui/Button';

export function NotFound() {
  const { t } = useTranslation('shared');
  return (
    <div className="flex flex-col items-center gap-3 p-10 text-center">
      <SearchX aria-hidden className="size-8 text-muted" />
      <h1 className="text-xl font-semibold">{t('state.notFound')}</h1>
      <p className="text-muted">{t('state.notFoundText')}</p>
      <Link to="/" className={buttonClass('plain')}>
        {t('action.back')}
      </Link>
    </div>
  );
}

export function PageCrash({ error, reset }: ErrorComponentProps) {
  const { t } = useTranslation('shared');
  return (
    <div role="alert" className="flex flex-col items-center gap-3 p-10 text-center">
      <TriangleAlert aria-hidden className="size-8 text-danger" />
      <h1 className="text-xl font-semibold">{t('state.crashed')}</h1>
      <p className="text-muted">{errorText(error)}</p>
      <Button onClick={reset}>{t('action.retry')}</Button>
    </div>
  );
}
