// The frame of a signed-in page: navigation beside (a drawer on narrow screens), search, connection state, user menu.
import { Link, useRouterState } from '@tanstack/react-router';
import { MapPinned, Menu as MenuIcon, Search, User as UserIcon, X } from 'lucide-react';
import { Dialog as Radix } from 'radix-ui';
import { lazy, Suspense, useState, type ComponentType, type ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { LiveIndicator } from '../live/LiveIndicator';
import { Button, IconButton } from '../ui/Button';
import { cn } from '../ui/cn';
import { getProduct } from './product';

export interface NavItem {
  to: string;
  label: string;
  icon: ComponentType<{ className?: string; 'aria-hidden'?: boolean }>;
}

export interface NavGroup {
  label?: string;
  items: NavItem[];
}

interface AppShellProps {
  navigation: NavGroup[];
  /** Opens the search; absent where there is none. */
  onSearch?: () => void;
  /** More in the top bar: notifications. */
  extra?: ReactNode;
  children: ReactNode;
}

export function AppShell({ navigation, onSearch, extra, children }: AppShellProps) {
  const { t } = useTranslation('shared');
  const [drawer, setDrawer] = useState(false);
  return (
    <div className="flex h-full flex-col">
      <a href="#content" className="sr-only focus:not-sr-only focus:absolute focus:z-50 focus:bg-surface focus:p-3">
        {t('menu.skip')}
      </a>
      <header className="flex min-h-14 items-center gap-2 border-b border-line bg-surface px-3">
        <IconButton
          className="lg:hidden"
          label={t('menu.open')}
          icon={<MenuIcon aria-hidden className="size-5" />}
          onClick={() => setDrawer(true)}
        />
        <Link to="/" className="flex items-center gap-2 font-semibold">
          <MapPinned aria-hidden className="size-5 text-link" />
          <span className="max-sm:sr-only">{getProduct()}</span>
        </Link>
        <div className="flex-1" />
        {onSearch && (
          <Button small onClick={onSearch} aria-keyshortcuts="Control+K">
            <Search aria-hidden className="size-4" />
            <span className="max-sm:sr-only">{t('palette.open')}</span>
            <kbd className="text-xs text-muted max-md:hidden">Ctrl K</kbd>
          </Button>
        )}
        <LiveIndicator />
        {extra}
        <UserMenuButton />
      </header>
      <div className="flex min-h-0 flex-1">
        <nav
          aria-label={t('menu.navigation')}
          className="w-56 shrink-0 overflow-y-auto border-r border-line bg-surface p-2 max-lg:hidden"
        >
          <NavList navigation={navigation} />
        </nav>
        <main id="content" tabIndex={-1} className="min-w-0 flex-1 overflow-y-auto p-4 outline-none md:p-6">
          {children}
        </main>
      </div>
      <Radix.Root open={drawer} onOpenChange={setDrawer}>
        <Radix.Portal>
          <Radix.Overlay className="fixed inset-0 z-40 bg-black/50" />
          <Radix.Content
            aria-describedby={undefined}
            className="fixed inset-y-0 left-0 z-50 w-72 max-w-[85vw] overflow-y-auto border-r border-line bg-surface p-3"
          >
            <div className="flex items-center justify-between pb-2">
              <Radix.Title className="font-semibold">{getProduct()}</Radix.Title>
              <Radix.Close asChild>
                <IconButton label={t('menu.close')} icon={<X aria-hidden className="size-5" />} />
              </Radix.Close>
            </div>
            <nav aria-label={t('menu.navigation')}>
              <NavList navigation={navigation} onFollow={() => setDrawer(false)} />
            </nav>
          </Radix.Content>
        </Radix.Portal>
      </Radix.Root>
    </div>
  );
}

function NavList({ navigation, onFollow }: { navigation: NavGroup[]; onFollow?: () => void }) {
  const path = useRouterState({ select: (state) => state.location.pathname });
  return navigation.map((group, index) => (
    <div key={group.label ?? index} className="pb-3">
      {group.label && <p className="px-2.5 pb-1 text-xs font-semibold text-muted">{group.label}</p>}
      <ul>
        {group.items.map(({ to, label, icon: Icon }) => {
          const current = to === '/' ? path === '/' : path === to || path.startsWith(`${to}/`);
          return (
            <li key={to}>
              <Link
                to={to}
                {...(onFollow ? { onClick: onFollow } : {})}
                aria-current={current ? 'page' : undefined}
                className={cn(
                  'flex min-h-9 items-center gap-2.5 rounded-md px-2.5 hover:bg-raised',
                  current && 'bg-raised font-semibold',
                )}
              >
                <Icon aria-hidden className="size-4 shrink-0 text-muted" />
                {label}
              </Link>
            </li>
          );
        })}
      </ul>
    </div>
  ));
}

// The menu's code is loaded when it is first wanted: it is no part of what every visit has to load.
const loadUserMenu = () => import('./UserMenu').then((module) => ({ default: module.UserMenu }));
const UserMenu = lazy(loadUserMenu);

function UserMenuButton() {
  const { t } = useTranslation('shared');
  const [wanted, setWanted] = useState(false);
  const button = (
    <IconButton
      label={t('menu.account')}
      icon={<UserIcon aria-hidden className="size-5" />}
      aria-haspopup="menu"
      aria-expanded={false}
      onPointerEnter={() => void loadUserMenu().catch(() => undefined)}
      onClick={() => setWanted(true)}
    />
  );
  if (!wanted) return button;
  return (
    <Suspense fallback={button}>
      <UserMenu />
    </Suspense>
  );
}
