// The frame of the signed-in pages.
import { AppShell } from '@tracker/shared/shell/AppShell.tsx';
import { SignedIn } from '@tracker/shared/shell/SignedIn.tsx';
import { useLiveCache } from '@tracker/shared/live/useLive.ts';
import { Outlet } from '@tanstack/react-router';
import { Boxes, LayoutDashboard, MapPin, TriangleAlert } from 'lucide-react';
import { useTranslation } from 'react-i18next';

/** What a live event makes old: the paths with which query keys begin. */
const figures = ['/api/v1/dashboard', '/api/v1/statistics/status', '/api/v1/exceptions'];
const touched = {
  position: ['/api/v1/trackers', '/api/v1/history'],
  status: ['/api/v1/trackers', '/api/v1/status-history', '/api/v1/events', ...figures],
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
  const items = [
    { to: '/', label: t('nav.overview'), icon: LayoutDashboard },
    { to: '/trackers', label: t('nav.trackers'), icon: MapPin },
    { to: '/runs', label: t('nav.runs'), icon: Boxes },
    { to: '/exceptions', label: t('nav.exceptions'), icon: TriangleAlert },
  ];
  return (
    <AppShell navigation={[{ items }]}>
      <Outlet />
    </AppShell>
  );
}
