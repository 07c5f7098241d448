// The pages of the admin panel and their addresses.
import { plainSearch } from '@tracker/shared/shell/search.ts';
import { NotFound, PageCrash } from '@tracker/shared/shell/pages.tsx';
import { createRootRoute, createRoute, createRouter, lazyRouteComponent } from '@tanstack/react-router';
import { Frame } from './Frame';

const root = createRootRoute({ notFoundComponent: NotFound });
const passwords = () => import('@tracker/shared/shell/PasswordPages.tsx');
const forgot = createRoute({
  getParentRoute: () => root,
  path: '/forgot-password',
  component: lazyRouteComponent(passwords, 'ForgotPasswordPage'),
});
const reset = createRoute({
  getParentRoute: () => root,
  path: '/reset-password',
  component: lazyRouteComponent(passwords, 'ResetPasswordPage'),
});

// Everything below needs a session.
const frame = createRoute({ getParentRoute: () => root, id: 'frame', component: Frame });
const dashboard = createRoute({
  getParentRoute: () => frame,
  path: '/',
  component: lazyRouteComponent(() => import('./dashboard/DashboardPage'), 'DashboardPage'),
});
const profile = createRoute({
  getParentRoute: () => frame,
  path: '/profile',
  component: lazyRouteComponent(() => import('@tracker/shared/shell/ProfilePage.tsx'), 'ProfilePage'),
});
const tasks = createRoute({
  getParentRoute: () => frame,
  path: '/tasks',
  component: lazyRouteComponent(() => import('./tasks/TasksPage'), 'TasksPage'),
});
const rejected = createRoute({
  getParentRoute: () => frame,
  path: '/rejected-reports',
  component: lazyRouteComponent(() => import('./rejected/RejectedPage'), 'RejectedPage'),
});
const resourcePages = () => import('./resource/ResourceRoutes');
const list = createRoute({
  getParentRoute: () => frame,
  path: '/$resource',
  component: lazyRouteComponent(resourcePages, 'ListRoute'),
});
const row = createRoute({
  getParentRoute: () => frame,
  path: '/$resource/$id',
  component: lazyRouteComponent(resourcePages, 'RowRoute'),
});

export const router = createRouter({
  ...plainSearch,
  routeTree: root.addChildren([forgot, reset, frame.addChildren([dashboard, profile, tasks, rejected, list, row])]),
  defaultErrorComponent: PageCrash,
  defaultNotFoundComponent: NotFound,
  scrollRestoration: true,
});

declare module '@tanstack/react-router' {
  interface Register {
    router: typeof router;
  }
}
