// The trackers around a shape by their newest positions, and which of them are inside.
import { api, call } from '@tracker/shared/api/client.ts';
import type { TrackerPosition } from '@tracker/shared/api/schema.d.ts';
import type { Bounds } from '@tracker/shared/map/geometry.ts';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { isInside, shapeBounds, type Shape } from './shape';

/** Whose trackers: of a client, of a run of it, or (nothing set) of everybody whom the reader sees. */
export interface Whose {
  client_id?: string;
  production_run_id?: string;
}

export interface Nearby {
  around: TrackerPosition[];
  inside: number;
  /** There are more around than an answer holds: `inside` is too small. */
  more: boolean;
}

/** One answer's worth; the API's limit. */
const MOST = 5000;
/** Around a shape its surroundings are looked at, by this part of its width and height. */
const MARGIN = 0.5;

function grown([west, south, east, north]: Bounds): Bounds {
  const [x, y] = [(east - west) * MARGIN, (north - south) * MARGIN];
  return [Math.max(west - x, -180), Math.max(south - y, -90), Math.min(east + x, 180), Math.min(north + y, 90)];
}

/** Undefined while nothing is drawn, nobody's trackers are meant, or the answer is not there. */
export function useNearby(shape: Shape, whose: Whose | undefined): Nearby | undefined {
  const bounds = shapeBounds(shape);
  const bbox = bounds && grown(bounds).join(',');
  const positions = useQuery({
    queryKey: ['/api/v1/trackers', 'nearby', whose, bbox],
    enabled: bbox !== undefined && whose !== undefined,
    placeholderData: keepPreviousData,
    queryFn: ({ signal }) => {
      const query = { ...whose, bbox: bbox ?? '', limit: MOST };
      return call(api.GET('/api/v1/trackers/positions/latest', { params: { query }, signal }));
    },
  });
  if (!bbox || !whose || !positions.data) return undefined;
  const { items, next_cursor } = positions.data;
  return {
    around: items,
    inside: items.filter(({ position }) => position && isInside(shape, position)).length,
    more: next_cursor !== null,
  };
}
