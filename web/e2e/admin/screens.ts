// Every screen of the admin panel, by the name of its picture.
export interface Screen {
  path: string;
  /** Looked at by axe in every `make test`; the others in the long run. */
  short?: boolean;
  /** Opens a dialog on it. */
  open?: string;
}

export const screens: Record<string, Screen> = {
  dashboard: { path: '/', short: true },
  clients: { path: '/clients' },
  client: { path: '/clients/1?tab=images' },
  'client-changes': { path: '/clients/1?tab=history' },
  brands: { path: '/brands' },
  brand: { path: '/brands/1' },
  runs: { path: '/production-runs', short: true },
  'run-places': { path: '/production-runs/1?tab=places' },
  'run-details': { path: '/production-runs/1?tab=details' },
  trackers: { path: '/trackers', short: true },
  tracker: { path: '/trackers/1', short: true },
  'tracker-keys': { path: '/trackers/1?tab=keys' },
  'tracker-images': { path: '/trackers/1?tab=images' },
  'tracker-rejected': { path: '/trackers/1?tab=rejected' },
  'tracker-details': { path: '/trackers/1?tab=details' },
  'tracker-generate': { path: '/trackers', open: 'Generate keys' },
  'tracker-import': { path: '/trackers', open: 'Import' },
  stores: { path: '/storage-locations' },
  deliveries: { path: '/delivery-locations' },
  place: { path: '/delivery-locations/3' },
  'place-edit': { path: '/delivery-locations/3', open: 'Edit', short: true },
  areas: { path: '/exclusion-areas' },
  'area-new': { path: '/exclusion-areas', open: 'New exclusion area' },
  exceptions: { path: '/exceptions' },
  events: { path: '/events' },
  users: { path: '/users' },
  'user-sessions': { path: '/users/1?tab=sessions' },
  'user-new': { path: '/users', open: 'New user' },
  'api-keys': { path: '/api-keys' },
  tasks: { path: '/tasks', short: true },
  schedules: { path: '/task-schedules' },
  schedule: { path: '/task-schedules/1' },
  'apple-accounts': { path: '/apple-accounts' },
  'apple-account': { path: '/apple-accounts/1' },
  'fetch-batches': { path: '/fetch-batches' },
  rejected: { path: '/rejected-reports' },
  'rejected-trackers': { path: '/rejected-reports?group=tracker' },
  profiles: { path: '/provider-profiles' },
  audit: { path: '/audit-log' },
  'audit-entry': { path: '/audit-log/1' },
  profile: { path: '/profile' },
  'not-found': { path: '/nothing' },
};
