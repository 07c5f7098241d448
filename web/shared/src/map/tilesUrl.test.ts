import { describe, expect, it } from 'vitest';
import { tilesUrl } from './tilesUrl';

describe('tilesUrl', () => {
  it('carries the filters, and no question mark without any', () => {
    expect(tilesUrl({})).toBe('api:///api/v1/map/trackers/{z}/{x}/{y}.mvt');
    expect(tilesUrl({ q: 'a & b', production_run_id: 7 })).toBe(
      'api:///api/v1/map/trackers/{z}/{x}/{y}.mvt?q=a+%26+b&production_run_id=7',
    );
  });
});
