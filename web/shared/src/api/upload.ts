// Sends a file with progress: fetch cannot tell how much was sent.
import { session } from '../session/session';
import { NetworkError } from './problem';

export interface Uploaded {
  status: number;
  /** The answer's JSON; undefined when it is none, as a proxy's error page. */
  body: unknown;
}

/** `onProgress` gets the part that was sent, from 0 to 1. Rejects with NetworkError only; what the status means is the caller's. */
export async function upload(
  url: string,
  body: File | FormData,
  onProgress: (part: number) => void,
): Promise<Uploaded> {
  const token = await session.accessToken();
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open('POST', url);
    request.setRequestHeader('Accept', 'application/json');
    if (token !== undefined) request.setRequestHeader('Authorization', `Bearer ${token}`);
    if (body instanceof File) request.setRequestHeader('Content-Type', body.type || 'application/octet-stream');
    request.upload.onprogress = ({ loaded, total }) => onProgress(total > 0 ? loaded / total : 0);
    request.onerror = () => reject(new NetworkError('The server cannot be reached'));
    request.onload = () => resolve({ status: request.status, body: parse(request.responseText) });
    request.send(body);
  });
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
