// What the address of the trackers' page keeps, and the API's question that it stands for.
import { statuses } from '@tracker/shared/ui/Badge.tsx';
import * as z from 'zod/mini';

export const batteries = ['full', 'medium', 'low', 'very_low'] as const;
export const sorts = {
  name: 'name',
  newest: '-last_report_at',
  oldest: 'last_report_at',
  status: '-status_since',
} as const;
export type Sort = keyof typeof sorts;
export const sortNames = Object.keys(sorts) as Sort[];

const maybe = <T extends z.ZodMiniType>(type: T) => z.catch(z.optional(type), undefined);
const degrees = (limit: number) => maybe(z.number().check(z.gte(-limit), z.lte(limit)));

export const trackersSearch = z.object({
  q: maybe(z.string()),
  status: maybe(z.enum(statuses)),
  run: maybe(z.int().check(z.positive())),
  battery: maybe(z.enum(batteries)),
  sort: maybe(z.enum(sortNames)),
  /** On narrow screens: which of the two is shown. */
  view: maybe(z.enum(['list', 'map'])),
  // Where the map is.
  lat: degrees(90),
  lng: degrees(180),
  zoom: maybe(z.number().check(z.gte(0), z.lte(22))),
});

export type TrackersSearch = z.infer<typeof trackersSearch>;

/** Filters that the list of trackers and the map's tiles understand. */
export type TrackerFilter = Partial<Record<'q' | 'status' | 'production_run_id' | 'battery', string>>;

/** The filters as the list of trackers takes them. */
export function listFilter({ q, status, run, battery }: TrackersSearch): TrackerFilter {
  return {
    ...(q ? { q } : {}),
    ...(status ? { status } : {}),
    ...(run ? { production_run_id: String(run) } : {}),
    ...(battery ? { battery } : {}),
  };
}

export function isFiltered(search: TrackersSearch): boolean {
  return Object.keys(listFilter(search)).length > 0;
}
