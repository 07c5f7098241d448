// The gate before everything that needs a session: shows the sign-in page in place, so that the address is kept.
import { lazy, Suspense, useEffect, type ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { Button } from '../ui/Button';
import { Loading } from '../ui/states';
import { session } from '../session/session';
import { useSession } from '../session/useSession';
import { EntryLayout } from './EntryLayout';

const TRY_AGAIN_MS = 4000;

// Who is signed in already does not load the form.
const SignInPage = lazy(() => import('./SignInPage').then((module) => ({ default: module.SignInPage })));

export function SignedIn({ children }: { children: ReactNode }) {
  const state = useSession();
  switch (state.status) {
    case 'starting':
      return <Loading />;
    case 'unreachable':
      return <Unreachable />;
    case 'signed-out':
      return (
        <Suspense fallback={<Loading />}>
          <SignInPage expired={state.expired} />
        </Suspense>
      );
    case 'signed-in':
      return children;
  }
}

function Unreachable() {
  const { t } = useTranslation('shared');
  useEffect(() => {
    const timer = setInterval(() => void session.start(), TRY_AGAIN_MS);
    return () => clearInterval(timer);
  }, []);
  return (
    <EntryLayout title={t('state.unreachable')}>
      <p role="status">{t('state.unreachableText')}</p>
      <Button onClick={() => void session.start()}>{t('action.retry')}</Button>
    </EntryLayout>
  );
}
