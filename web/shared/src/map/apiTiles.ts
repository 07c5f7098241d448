// Map tiles of the API as MapLibre loads them: `api:///api/v1/map/…` is fetched with the session's token.
import { addProtocol } from 'maplibre-gl';
import { authorizedFetch } from '../api/client';
import { ApiError, problemOf } from '../api/problem';
import { API_TILES } from './tilesUrl';

export function tileProtocol(): void {
  addProtocol('api', async ({ url }, abort) => {
    const request = new Request(location.origin + url.slice(API_TILES.length), { signal: abort.signal });
    const response = await authorizedFetch(request);
    if (!response.ok) throw new ApiError(await problemOf(response));
    return { data: await response.arrayBuffer() };
  });
}
