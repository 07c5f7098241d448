// The frame of the signed-in pages.
import { AppShell } from '@tracker/shared/shell/AppShell.tsx';
import { SignedIn } from '@tracker/shared/shell/SignedIn.tsx';
import { useLiveCache } from '@tracker/shared/live/useLive.ts';
import { Outlet } from '@tanstack/react-router';
import { LayoutDashboard } from 'lucide-react';
import { useTranslation } from 'react-i18next';

/** What a live event makes old: the paths with which query keys begin. */
const touched = {
  position: ['/api/v1/trackers'],
  status: ['/api/v1/trackers'],
};

export function Frame() {
  return (
    <SignedIn>
      <SignedInFrame />
    </SignedIn>
  );
}

function SignedInFrame() {
  const { t } = useTranslation('app');
  useLiveCache(touched);
  return (
    <AppShell navigation={[{ items: [{ to: '/', label: t('nav.overview'), icon: LayoutDashboard }] }]}>
      <Outlet />
    </AppShell>
  );
}
