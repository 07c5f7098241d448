// The frame of the signed-in pages.
import { AppShell } from '@tracker/shared/shell/AppShell.tsx';
import { SignedIn } from '@tracker/shared/shell/SignedIn.tsx';
import { useLiveCache } from '@tracker/shared/live/useLive.ts';
import { Outlet } from '@tanstack/react-router';
import { Bell as BellIcon, Boxes, LayoutDashboard, MapPin, TriangleAlert } from 'lucide-react';
import { useTranslation } from 'react-i18next';
import { Bell } from './notifications/Bell';

/** What a live event makes old: the paths with which query keys begin. */
const figures = ['/api/v1/dashboard', '/api/v1/statistics/status', '/api/v1/exceptions'];
const touched = {
  position: ['/api/v1/trackers', '/api/v1/history'],
  notification: ['/api/v1/notifications', '/api/v1/notifications/unread-count'],
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
    { to: '/notifications', label: t('nav.notifications'), icon: BellIcon },
  ];
  return (
    <AppShell navigation={[{ items }]} extra={<Bell />}>
      <Outlet />
    </AppShell>
  );
}
