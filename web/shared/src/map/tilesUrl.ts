// The address of the API's tiles of trackers, as MapLibre takes it; see apiTiles.ts for `api:`.
export const API_TILES = 'api://';

export function tilesUrl(filter: Record<string, string | number>): string {
  const query = new URLSearchParams(Object.entries(filter).map(([name, value]) => [name, String(value)])).toString();
  return `${API_TILES}/api/v1/map/trackers/{z}/{x}/{y}.mvt${query && `?${query}`}`;
}
