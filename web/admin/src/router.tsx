// The pages of the admin panel and their addresses.
import { NotFound, PageCrash } from '@tracker/shared/shell/pages.tsx';
import { createRootRoute, createRoute, createRouter, lazyRouteComponent } from '@tanstack/react-router';
import { Frame } from './Frame';
import { OverviewPage } from './overview/OverviewPage';

const root = createRootRoute({ notFoundComponent: NotFound });
const forgot = createRoute({
  getParentRoute: () => root,
  path: '/forgot-password',
  component: lazyRouteComponent(() => import('@tracker/shared/shell/PasswordPages.tsx'), 'ForgotPasswordPage'),
});
const reset = createRoute({
  getParentRoute: () => root,
  path: '/reset-password',
  component: lazyRouteComponent(() => import('@tracker/shared/shell/PasswordPages.tsx'), 'ResetPasswordPage'),
});

// Everything below needs a session.
const frame = createRoute({ getParentRoute: () => root, id: 'frame', component: Frame });
const overview = createRoute({ getParentRoute: () => frame, path: '/', component: OverviewPage });
const profile = createRoute({
  getParentRoute: () => frame,
  path: '/profile',
  component: lazyRouteComponent(() => import('@tracker/shared/shell/ProfilePage.tsx'), 'ProfilePage'),
});

export const router = createRouter({
  routeTree: root.addChildren([forgot, reset, frame.addChildren([overview, profile])]),
  defaultErrorComponent: PageCrash,
  defaultNotFoundComponent: NotFound,
  scrollRestoration: true,
});

declare module '@tanstack/react-router' {
  interface Register {
    router: typeof router;
  }
}
