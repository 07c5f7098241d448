// The pages of the user front end and their addresses. What a reader may want to link to stands in the search parameters.
import { NotFound, PageCrash } from '@tracker/shared/shell/pages.tsx';
import { createRootRoute, createRoute, createRouter, lazyRouteComponent } from '@tanstack/react-router';
import * as z from 'zod/mini';
import { ATTENTION_KINDS } from './exceptions/kinds';
import { Frame } from './Frame';
import { OverviewPage } from './overview/OverviewPage';
import { runSearch, runsSearch } from './runs/search';
import { trackerSearch } from './tracker/search';
import { trackersSearch } from './trackers/search';

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

// What a share link shows; no session.
const shared = createRoute({
  getParentRoute: () => root,
  path: '/s/$token',
  component: lazyRouteComponent(() => import('./share/SharedPage'), 'SharedPage'),
});

// Everything below needs a session.
const frame = createRoute({ getParentRoute: () => root, id: 'frame', component: Frame });

/** An address that names a row: what is no id at all is a page that does not exist. */
const byId = {
  parse: ({ id }: { id: string }) => ({ id: /^[1-9]\d{0,17}$/.test(id) ? Number(id) : 0 }),
  stringify: ({ id }: { id: number }) => ({ id: String(id) }),
};

const overview = createRoute({ getParentRoute: () => frame, path: '/', component: OverviewPage });
const trackers = createRoute({
  getParentRoute: () => frame,
  path: '/trackers',
  validateSearch: trackersSearch,
  component: lazyRouteComponent(() => import('./trackers/TrackersPage'), 'TrackersPage'),
});
const tracker = createRoute({
  getParentRoute: () => frame,
  path: '/trackers/$id',
  params: byId,
  validateSearch: trackerSearch,
  component: lazyRouteComponent(() => import('./tracker/TrackerPage'), 'TrackerPage'),
});
const runs = createRoute({
  getParentRoute: () => frame,
  path: '/runs',
  validateSearch: runsSearch,
  component: lazyRouteComponent(() => import('./runs/RunsPage'), 'RunsPage'),
});
const run = createRoute({
  getParentRoute: () => frame,
  path: '/runs/$id',
  params: byId,
  validateSearch: runSearch,
  component: lazyRouteComponent(() => import('./runs/RunPage'), 'RunPage'),
});
const exceptions = createRoute({
  getParentRoute: () => frame,
  path: '/exceptions',
  validateSearch: z.object({
    kind: z.catch(z.optional(z.enum(ATTENTION_KINDS)), undefined),
    ended: z.catch(z.optional(z.enum(['true', 'all'])), undefined),
  }),
  component: lazyRouteComponent(() => import('./exceptions/ExceptionsPage'), 'ExceptionsPage'),
});
const notifications = createRoute({
  getParentRoute: () => frame,
  path: '/notifications',
  validateSearch: z.object({
    tab: z.catch(z.optional(z.literal('wishes')), undefined),
    unread: z.catch(z.optional(z.literal(true)), undefined),
  }),
  component: lazyRouteComponent(() => import('./notifications/NotificationsPage'), 'NotificationsPage'),
});
const profile = createRoute({
  getParentRoute: () => frame,
  path: '/profile',
  component: lazyRouteComponent(() => import('@tracker/shared/shell/ProfilePage.tsx'), 'ProfilePage'),
});

export const router = createRouter({
  routeTree: root.addChildren([
    forgot,
    reset,
    shared,
    frame.addChildren([overview, trackers, tracker, runs, run, exceptions, notifications, profile]),
  ]),
  defaultErrorComponent: PageCrash,
  defaultNotFoundComponent: NotFound,
  defaultPreload: 'intent',
  scrollRestoration: true,
});

declare module '@tanstack/react-router' {
  interface Register {
    router: typeof router;
  }
}
