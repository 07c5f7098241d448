// What the addresses of the run pages keep.
import * as z from 'zod/mini';

export const runsSearch = z.object({ q: z.catch(z.optional(z.string()), undefined) });

export const runTabs = ['trackers', 'events', 'places', 'images', 'share', 'notify'] as const;
export const runSearch = z.object({ tab: z.catch(z.optional(z.enum(runTabs)), undefined) });
