// Names for ids: one call for all rows of a page and each resource that they refer to.
import { request } from '@tracker/shared/api/client.ts';
import { useQueries, useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import type { FieldSpec, Row } from './spec';

interface Named {
  id: number;
  name?: string;
  email?: string;
}

/** Names stay fresh for long; a rename shows a little later. */
const STALE_MS = 5 * 60_000;
/** Ids in one call: the address stays below the server's limit. */
const IDS_PER_CALL = 500;
/** Resources whose lists leave out archived rows. */
const HIDING = new Set([
  'clients',
  'brands',
  'production-runs',
  'storage-locations',
  'delivery-locations',
  'trackers',
  'apple-accounts',
]);

export type Names = ReadonlyMap<string, string>;

function key(resource: string, id: unknown): string {
  return `${resource}:${String(id)}`;
}

function namesQuery(resource: string, ids: number[]) {
  const path = `/api/v1/${resource}`;
  return {
    queryKey: [path, 'names', ids],
    staleTime: STALE_MS,
    enabled: ids.length > 0,
    queryFn: async () => {
      const archived = HIDING.has(resource) ? '&archived=all' : '';
      const { data } = await request<{ items: Named[] }>('GET', `${path}?limit=500&id=${ids.join(',')}${archived}`);
      return data.items.map((row): [string, string] => [key(resource, row.id), row.name || row.email || `#${row.id}`]);
    },
  };
}

function idsOf(value: unknown): number[] {
  if (typeof value === 'number') return [value];
  return Array.isArray(value) ? value.filter((id): id is number => typeof id === 'number') : [];
}

/** A constant, so that the map stays the same while the answers do. */
function asMap(results: { data: [string, string][] | undefined }[]): Names {
  return new Map(results.flatMap((result) => result.data ?? []));
}

/** Names of everything that the rows' reference fields point to. */
export function useNames(fields: FieldSpec[], rows: Row[]): Names {
  const wanted = new Map<string, Set<number>>();
  for (const field of fields) {
    for (const resource of field.ref ?? []) {
      const ids = wanted.get(resource) ?? new Set();
      for (const row of rows) for (const id of idsOf(row[field.name])) ids.add(id);
      wanted.set(resource, ids);
    }
  }
  const queries = [...wanted].map(([resource, ids]) =>
    namesQuery(resource, [...ids].sort((a, b) => a - b).slice(0, IDS_PER_CALL)),
  );
  return useQueries({
    queries,
    combine: asMap,
  });
}

/** The name of one id, for filters and forms. */
export function useName(resources: string[], id: number | undefined): string | undefined {
  const first = useQuery(namesQuery(resources[0] ?? '', id === undefined ? [] : [id]));
  const second = useQuery(namesQuery(resources[1] ?? '', id === undefined || !resources[1] ? [] : [id]));
  return [...(first.data ?? []), ...(second.data ?? [])][0]?.[1];
}

export function RefLink({ resources, id, names }: { resources: string[]; id: number; names: Names }) {
  const found = resources.find((resource) => names.has(key(resource, id)));
  if (!found) return <span className="text-muted">#{id}</span>;
  return (
    <Link to={`/${found}/$id` as never} params={{ id: String(id) } as never} className="text-link hover:underline">
      {names.get(key(found, id))}
    </Link>
  );
}
