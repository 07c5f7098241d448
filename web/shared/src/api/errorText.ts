// What to tell a person about a failed call.
import i18next from 'i18next';
import { ApiError, NetworkError } from './problem';

export function errorText(error: unknown): string {
  if (error instanceof NetworkError) return i18next.t('shared:error.network');
  if (!(error instanceof ApiError)) return error instanceof Error ? error.message : String(error);
  if (error.status === 412) return i18next.t('shared:error.stale');
  if (error.status === 403) return i18next.t('shared:error.forbidden');
  if (error.status === 404) return i18next.t('shared:state.notFound');
  if (error.status === 429) return i18next.t('shared:error.tooMany');
  if (error.status >= 500) return i18next.t('shared:error.server', { id: error.problem.request_id ?? error.status });
  return error.errors[0]?.message ?? error.message;
}
