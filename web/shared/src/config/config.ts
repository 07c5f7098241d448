// Settings of the installation that the browser must know, from /config.json (written by the server that serves the page).
import * as z from 'zod/mini';

const schema = z.object({
  /** A MapLibre style's URL, or a raster template with {z}, {x} and {y}; null for the built-in offline map. */
  map_style: z.nullish(z.string()),
  /** Shown on the map for a raster template. */
  map_attribution: z.nullish(z.string()),
  /** Where the two front ends are, for links from one to the other. */
  app_url: z.nullish(z.string()),
  admin_url: z.nullish(z.string()),
});

export type Config = z.infer<typeof schema>;

let config: Config = {};

/** Loads it once before the first render. A missing or broken file means the defaults. */
export async function loadConfig(): Promise<void> {
  try {
    const response = await fetch('/config.json');
    if (response.ok) config = schema.parse(await response.json());
  } catch (error) {
    console.warn('config.json is ignored:', error);
  }
}

export function getConfig(): Config {
  return config;
}
