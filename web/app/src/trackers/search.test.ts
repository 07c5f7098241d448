import { describe, expect, it } from 'vitest';
import { isFiltered, listFilter, trackersSearch } from './search';

describe('trackersSearch', () => {
  it('keeps what is valid and drops what is not', () => {
    expect(trackersSearch.parse({ q: 'a', status: 'DELIVERED', run: 3, lat: 52.5, lng: 13.4, zoom: 9 })).toEqual({
      q: 'a',
      status: 'DELIVERED',
      run: 3,
      lat: 52.5,
      lng: 13.4,
      zoom: 9,
    });
    const nonsense = {
      q: 7,
      status: 'LOST',
      run: 0,
      battery: 'empty',
      sort: 'x',
      view: 'both',
      lat: 91,
      lng: -181,
      zoom: 23,
    };
    expect(Object.values(trackersSearch.parse(nonsense)).filter((value) => value !== undefined)).toEqual([]);
  });

  it('takes the edges of the world', () => {
    expect(trackersSearch.parse({ lat: -90, lng: 180, zoom: 0 })).toEqual({ lat: -90, lng: 180, zoom: 0 });
  });
});

describe('listFilter', () => {
  it('names filters only, as the API does', () => {
    expect(listFilter({ q: 'x', run: 5, battery: 'low', sort: 'name', view: 'map', lat: 1, lng: 2, zoom: 3 })).toEqual({
      q: 'x',
      production_run_id: '5',
      battery: 'low',
    });
  });

  it('is empty for an order and a place on the map', () => {
    expect(isFiltered({ sort: 'newest', view: 'list', lat: 1, lng: 2, zoom: 3 })).toBe(false);
    expect(isFiltered({ status: 'CREATED' })).toBe(true);
  });
});
