// Every screen of the user front end, with a text that it shows when its data is there.
import { trackerId, world } from './world';

export function screens(): { path: string; name: string; shows: string }[] {
  const tracker = `/trackers/${trackerId('Display 001')}`;
  const run = `/runs/${world.nord.runs[0]}`;
  return [
    { path: '/', name: 'overview', shows: '2 of 5 delivered' },
    { path: '/trackers?status=DELIVERED', name: 'trackers', shows: 'Counter 001' },
    { path: '/trackers?view=map', name: 'trackers-map', shows: 'Natural Earth' },
    { path: tracker, name: 'tracker', shows: 'Arrived at Warehouse Hamburg' },
    { path: `${tracker}?tab=statuses`, name: 'tracker-statuses', shows: 'clearly outside' },
    { path: `${tracker}?tab=images`, name: 'tracker-images', shows: 'No images yet' },
    { path: `${tracker}?tab=share`, name: 'tracker-share', shows: 'There are no links yet.' },
    { path: `${tracker}?tab=notify`, name: 'tracker-notify', shows: 'Also by mail' },
    { path: '/runs', name: 'runs', shows: '4 of 7 delivered' },
    { path: run, name: 'run', shows: 'Display 001' },
    { path: '/exceptions', name: 'exceptions', shows: 'Nothing needs your attention.' },
    { path: '/notifications', name: 'notifications', shows: 'No notifications yet' },
    { path: '/notifications?tab=wishes', name: 'wishes', shows: 'You are not told of anything yet' },
    { path: '/profile', name: 'profile', shows: 'This session' },
    { path: `/s/${world.shared.tracker}`, name: 'shared-tracker', shows: 'Delivered to Store Berlin Mitte' },
    { path: `/s/${world.shared.run}`, name: 'shared-run', shows: '4 of 7 delivered' },
    { path: '/s/no-such-link', name: 'shared-gone', shows: 'This link does not work' },
  ];
}
