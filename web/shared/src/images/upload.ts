// Uploads of images.
import { ApiError, type Problem } from '../api/problem';
import type { Image } from '../api/schema';
import { upload } from '../api/upload';

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
  const query = new URLSearchParams({
    owner_kind: owner.kind,
    owner_id: String(owner.id),
    position: String(position),
  }).toString();
  const { status, body } = await upload(`${IMAGES}?${query}`, file, onProgress);
  if (status !== 201) throw new ApiError(problem(status, body));
  return body as Image;
}

function problem(status: number, body: unknown): Problem {
  if (body && typeof body === 'object' && 'code' in body && 'status' in body) return body as Problem;
  return { status, code: `http_${status}` };
}
