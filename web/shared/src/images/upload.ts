// Uploads of images, with progress: fetch cannot tell how much was sent.
import { ApiError, NetworkError, type Problem } from '../api/problem';
import type { Image } from '../api/schema';
import { session } from '../session/session';

export type OwnerKind = Image['owner_kind'];

export interface Owner {
  kind: OwnerKind;
  id: number;
}

/** Where images are; also the start of the keys under which they are cached. */
export const IMAGES = '/api/v1/images';

/** The server's own limit (see the guide to images); a larger file is refused before it is sent. */
export const MAX_IMAGE_BYTES = 20 * 1024 * 1024;

/** What may be chosen; the server looks at the content. */
export const IMAGE_TYPES = 'image/jpeg,image/png,image/webp,image/heic,image/heif';

/** Sends one file, which takes the place `position` in its gallery. `onProgress` gets the part that was sent, from 0 to 1. Rejects with ApiError or NetworkError. */
export async function uploadImage(
  owner: Owner,
  file: File,
  position: number,
  onProgress: (part: number) => void,
): Promise<Image> {
  const token = await session.accessToken();
  const query = new URLSearchParams({
    owner_kind: owner.kind,
    owner_id: String(owner.id),
    position: String(position),
  }).toString();
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open('POST', `${IMAGES}?${query}`);
    if (token !== undefined) request.setRequestHeader('Authorization', `Bearer ${token}`);
    request.setRequestHeader('Content-Type', file.type || 'image/*');
    request.upload.onprogress = ({ loaded, total }) => onProgress(total > 0 ? loaded / total : 0);
    request.onerror = () => reject(new NetworkError('The server cannot be reached'));
    request.onload = () => {
      const body = parse(request.responseText);
      if (request.status === 201) resolve(body as Image);
      else reject(new ApiError(problem(request.status, body)));
    };
    request.send(file);
  });
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined; // A proxy's error page.
  }
}

function problem(status: number, body: unknown): Problem {
  if (body && typeof body === 'object' && 'code' in body && 'status' in body) return body as Problem;
  return { status, code: `http_${status}` };
}
