// The frame of the signed-in pages: navigation by role, live updates, the command palette.
import { getConfig } from '@tracker/shared/config/config.ts';
import { useLiveCache } from '@tracker/shared/live/useLive.ts';
import { useUser } from '@tracker/shared/session/useSession.ts';
import { AppShell, type NavGroup } from '@tracker/shared/shell/AppShell.tsx';
import { SignedIn } from '@tracker/shared/shell/SignedIn.tsx';
import { buttonClass } from '@tracker/shared/ui/Button.tsx';
import { Outlet } from '@tanstack/react-router';
import { FileX, LayoutDashboard, ListTodo } from 'lucide-react';
import { lazy, Suspense, useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';
import type en from './i18n/en';
import { resources } from './resource/resources';
import { mayRead, type ResourceLabel } from './resource/spec';

/** What a live event makes old: the paths with which query keys begin. */
const touched = {
  position: ['/api/v1/trackers', '/api/v1/dashboard'],
  status: ['/api/v1/trackers', '/api/v1/events', '/api/v1/status-history', '/api/v1/dashboard'],
  task: ['/api/v1/tasks', '/api/v1/task-schedules', '/api/v1/apple-accounts', '/api/v1/fetch-batches'],
};

const groups: { label: keyof typeof en.nav; items: ResourceLabel[] }[] = [
  { label: 'goods', items: ['clients', 'brands', 'production-runs', 'trackers'] },
  { label: 'places', items: ['storage-locations', 'delivery-locations', 'exclusion-areas'] },
  { label: 'activity', items: ['exceptions', 'events'] },
  { label: 'access', items: ['users', 'api-keys'] },
  {
    label: 'operation',
    items: ['task-schedules', 'apple-accounts', 'fetch-batches', 'provider-profiles', 'audit-log'],
  },
];

export function useNavigation(): NavGroup[] {
  const { t } = useTranslation('admin');
  const user = useUser();
  const rest = groups.map(({ label, items }) => ({
    label: t(`nav.${label}`),
    items: items.flatMap((name) => {
      const spec = resources[name];
      if (!spec || !mayRead(user, spec)) return [];
      return [{ to: `/${name}`, label: t(`resource.${name}.many`), icon: spec.icon }];
    }),
  }));
  if (user.role === 'admin') {
    const operation = rest.at(-1)?.items ?? [];
    operation.unshift({ to: '/tasks', label: t('task.title'), icon: ListTodo });
    const after = operation.findIndex(({ to }) => to === '/fetch-batches') + 1;
    operation.splice(after, 0, { to: '/rejected-reports', label: t('rejected.title'), icon: FileX });
  }
  const dashboard = { items: [{ to: '/', label: t('nav.dashboard'), icon: LayoutDashboard }] };
  return [dashboard, ...rest.filter((group) => group.items.length > 0)];
}

export function Frame() {
  return (
    <SignedIn>
      <ForStaff />
    </SignedIn>
  );
}

/** Users who only read have nothing to do here. */
function ForStaff() {
  return useUser().role === 'user' ? <NoAccess /> : <SignedInFrame />;
}

function NoAccess() {
  const { t } = useTranslation('admin');
  const app = getConfig().app_url;
  return (
    <AppShell navigation={[]}>
      <div className="flex flex-col items-center gap-3 p-10 text-center">
        <h1 className="text-xl font-semibold">{t('noAccess.title')}</h1>
        <p className="text-muted">{t('noAccess.text')}</p>
        {app && (
          <a href={app} className={buttonClass('primary')}>
            {t('noAccess.go')}
          </a>
        )}
      </div>
    </AppShell>
  );
}

const CommandPalette = lazy(() =>
  import('./palette/CommandPalette').then((module) => ({ default: module.CommandPalette })),
);

function SignedInFrame() {
  useLiveCache(touched);
  const navigation = useNavigation();
  const [searching, setSearching] = useState(false);
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (event.key.toLowerCase() !== 'k' || !(event.ctrlKey || event.metaKey)) return;
      event.preventDefault();
      setSearching((open) => !open);
    };
    window.addEventListener('keydown', onKey);
    return () => window.removeEventListener('keydown', onKey);
  }, []);
  return (
    <AppShell navigation={navigation} onSearch={() => setSearching(true)}>
      <Outlet />
      {searching && (
        <Suspense>
          <CommandPalette navigation={navigation} onClose={() => setSearching(false)} />
        </Suspense>
      )}
    </AppShell>
  );
}
