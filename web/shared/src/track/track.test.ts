import type { HistoryBucket, HistoryPosition } from '../api/schema';
import { describe, expect, it } from 'vitest';
import { indexAt, trackFeatures, trackPoints, type TrackPoint } from './track';

const here = { latitude: 1, longitude: 2 };

function raw(at: string, flag: HistoryPosition['flag'] = null): HistoryPosition {
  return { at, position: here, accuracy_m: 9, confidence: 2, flag };
}

function points(...times: number[]): TrackPoint[] {
  return times.map((at) => ({ at, position: { latitude: at, longitude: -at }, accuracy: 10, doubtful: false }));
}

const kinds = (all: TrackPoint[], current: number) =>
  trackFeatures(all, current).features.map(({ properties }) => String(properties?.kind));

describe('trackPoints', () => {
  it('sorts by time and marks flagged reports', () => {
    const track = trackPoints([raw('2026-05-02T00:00:00Z', 'jump'), raw('2026-05-01T00:00:00Z')]);
    expect(track.map(({ doubtful }) => doubtful)).toEqual([false, true]);
    expect(track[0]).toEqual({ at: Date.parse('2026-05-01T00:00:00Z'), position: here, accuracy: 9, doubtful: false });
  });

  it('stands for a summary by its best position', () => {
    const best = { at: '2026-05-01T07:30:00Z', position: here, accuracy_m: 5 };
    const bucket = { from: '2026-05-01T07:00:00Z', to: '2026-05-01T08:00:00Z', best } as HistoryBucket;
    expect(trackPoints([bucket])).toEqual([{ at: Date.parse(best.at), position: here, accuracy: 5, doubtful: false }]);
  });
});

describe('indexAt', () => {
  it('finds the last point that is not later', () => {
    const track = points(10, 20, 20, 30);
    expect([9, 10, 19, 20, 29, 30, 99].map((moment) => indexAt(track, moment))).toEqual([-1, 0, 0, 2, 2, 3, 3]);
    expect(indexAt([], 5)).toBe(-1);
  });
});

describe('trackFeatures', () => {
  it('draws the way up to the current point only, all points, and the current accuracy', () => {
    const all = kinds(points(0, 50, 100), 1);
    expect(all.filter((kind) => kind === 'line')).toHaveLength(1);
    expect(all.filter((kind) => kind === 'point')).toHaveLength(3);
    expect(all.slice(-2)).toEqual(['accuracy', 'current']);
  });

  it('goes past doubtful points', () => {
    const track = points(0, 50, 100).map((point, index) => ({ ...point, doubtful: index === 1 }));
    const lines = trackFeatures(track, 2).features.filter(({ properties }) => properties?.kind === 'line');
    expect(lines).toHaveLength(1);
    expect(lines[0]?.geometry).toMatchObject({
      coordinates: [
        [-0, 0],
        [-100, 100],
      ],
    });
    expect(lines[0]?.properties?.age).toBe(1);
  });

  it('of one point, of none and of no current point is finite', () => {
    expect(kinds(points(5), 0)).toEqual(['point', 'accuracy', 'current']);
    expect(trackFeatures(points(5), 0).features[0]?.properties?.age).toBe(0);
    expect(kinds([], -1)).toEqual([]);
    expect(kinds(points(5), -1)).toEqual(['point']);
  });
});
