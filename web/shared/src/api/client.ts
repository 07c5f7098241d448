// The API client: typed by the OpenAPI document, signed in by the session, failures as exceptions.
//
//   const page = await call(api.GET('/api/v1/trackers', { params: { query: { limit: 50 } } }));
import createClient from 'openapi-fetch';
import { session } from '../session/session';
import { ApiError, NetworkError, problemOf, type Problem } from './problem';
import type { paths } from './schema';

/** fetch with the session's token; a token that the server refuses is replaced once. Throws NetworkError. */
export async function authorizedFetch(request: Request): Promise<Response> {
  const token = await session.accessToken();
  if (token === undefined) throw new ApiError({ status: 401, code: 'unauthorized', title: 'Not signed in' });
  const response = await send(request.clone(), token);
  if (response.status !== 401) return response;
  const fresh = await session.replaceToken(token);
  return fresh === undefined ? response : send(request, fresh);
}

async function send(request: Request, token: string): Promise<Response> {
  request.headers.set('Authorization', `Bearer ${token}`);
  try {
    return await fetch(request);
  } catch (cause) {
    if (cause instanceof DOMException && cause.name === 'AbortError') throw cause;
    throw new NetworkError('The server cannot be reached', { cause });
  }
}

const baseUrl = typeof location === 'undefined' ? '' : location.origin;

/** Calls as a signed-in user. */
export const api = createClient<paths>({ baseUrl, fetch: authorizedFetch });

/** Calls without a session: password reset, health, share links. */
export const publicApi = createClient<paths>({
  baseUrl,
  fetch: async (request) => {
    try {
      return await fetch(request);
    } catch (cause) {
      throw new NetworkError('The server cannot be reached', { cause });
    }
  },
});

interface Answer<T> {
  data?: T;
  error?: unknown;
  response: Response;
}

/** The data of a successful answer; throws ApiError or NetworkError otherwise. */
export async function call<T>(answer: Promise<Answer<T>>): Promise<T> {
  const { data, error, response } = await answer;
  if (response.ok) return data as T;
  const known = error && typeof error === 'object' && 'code' in error && 'status' in error;
  throw new ApiError(known ? (error as Problem) : { status: response.status, code: `http_${response.status}` });
}

/** Like call, with the ETag for a later If-Match. */
export async function callWithTag<T>(answer: Promise<Answer<T>>): Promise<{ data: T; etag: string | null }> {
  const { response } = await answer;
  return { data: await call(answer), etag: response.headers.get('ETag') };
}

/** A path of the API that the client's types do not know by name (generic screens), as JSON. Throws like call. */
export async function request<T>(method: string, path: string, body?: unknown, headers: Record<string, string> = {}) {
  const all = new Headers({ Accept: 'application/json', ...headers });
  if (body !== undefined) all.set('Content-Type', 'application/json');
  const response = await authorizedFetch(
    new Request(baseUrl + path, {
      method,
      headers: all,
      body: body === undefined ? null : JSON.stringify(body),
    }),
  );
  if (!response.ok) throw new ApiError(await problemOf(response));
  const data = response.status === 204 ? undefined : ((await response.json()) as T);
  return { data: data as T, etag: response.headers.get('ETag') };
}
