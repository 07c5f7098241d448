// What the address of a tracker's page keeps.
import * as z from 'zod/mini';

export const trackerTabs = ['timeline', 'statuses', 'images', 'share', 'notify'] as const;

/** Days back from now that the track shows. */
export const periods = [1, 7, 30, 90] as const;
export type Period = (typeof periods)[number];

export const trackerSearch = z.object({
  tab: z.catch(z.optional(z.enum(trackerTabs)), undefined),
  days: z.catch(z.optional(z.literal([...periods])), undefined),
});
