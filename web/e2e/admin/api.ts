// The API beside the browser: for what a test needs to be there, or to happen behind the page's back.
import type { APIRequestContext } from '@playwright/test';
import { ADMIN, PASSWORD } from '../accounts';
import { adminUrl } from '../fixtures';

export interface Api {
  call: <T>(method: string, path: string, data?: unknown) => Promise<T>;
}

export async function signedInApi(request: APIRequestContext, email = ADMIN): Promise<Api> {
  const url = (path: string) => `${adminUrl()}/api/v1${path}`;
  const login = await request.post(url('/auth/login/json'), { data: { email, password: PASSWORD } });
  const { access_token } = (await login.json()) as { access_token: string };
  return {
    async call<T>(method: string, path: string, data?: unknown): Promise<T> {
      const headers = { Authorization: `Bearer ${access_token}` };
      const answer = await request.fetch(url(path), { method, headers, ...(data === undefined ? {} : { data }) });
      if (!answer.ok()) throw new Error(`${method} ${path}: ${answer.status()} ${await answer.text()}`);
      return (await answer.json()) as T;
    },
  };
}
