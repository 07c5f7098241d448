// Failures of API calls as exceptions: what the server said (ApiError) or that it could not be reached (NetworkError).
import type { Problem } from './schema';

export type { Problem };

/** The server answered with a problem document (RFC 9457). `code` is stable, `errors` names fields. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly status: number;
  readonly code: string;
  readonly errors: NonNullable<Problem['errors']>;
  readonly problem: Problem;

  constructor(problem: Problem) {
    super(problem.detail ?? problem.title ?? problem.code);
    this.status = problem.status;
    this.code = problem.code;
    this.errors = problem.errors ?? [];
    this.problem = problem;
  }
}

/** No answer came: the server is down, the network is away, or the call was cut off. */
export class NetworkError extends Error {
  override readonly name = 'NetworkError';
}

/** The problem document of a failed response, or one made from its status when it carries none (a proxy's error page). */
export async function problemOf(response: Response): Promise<Problem> {
  try {
    const body: unknown = await response.json();
    if (body && typeof body === 'object' && 'code' in body && 'status' in body) return body as Problem;
  } catch {
    // Not JSON.
  }
  return { status: response.status, code: `http_${response.status}`, title: response.statusText };
}

/** True when trying again later may help without anybody changing anything. */
export function isTransient(error: unknown): boolean {
  if (error instanceof NetworkError) return true;
  return error instanceof ApiError && (error.status === 429 || error.status >= 500);
}
