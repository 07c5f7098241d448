// The state of a list in the address: what is written is read again, and what is not understood is harmless.
import { describe, expect, it } from 'vitest';
import { queryOfState, searchOfState, stateOfSearch } from './tableState';

describe('stateOfSearch', () => {
  it('reads an empty address as the defaults', () => {
    expect(stateOfSearch({})).toEqual({
      q: '',
      sort: '',
      limit: 50,
      cursor: '',
      archived: '',
      columns: undefined,
      filters: {},
    });
  });

  it('takes back what searchOfState wrote', () => {
    const search = {
      q: 'oak',
      sort: '-name',
      limit: '200',
      cursor: 'abc',
      archived: 'all',
      columns: 'id,name',
      status: 'DELIVERED',
    };
    expect(searchOfState(stateOfSearch(search))).toEqual(search);
  });

  it.each(['0', '51', '1000000', '-1', 'x'])('falls back from the page size %s', (limit) => {
    expect(stateOfSearch({ limit }).limit).toBe(50);
  });

  it('ignores an unknown word for archived', () => expect(stateOfSearch({ archived: 'maybe' }).archived).toBe(''));
});

describe('queryOfState', () => {
  it('asks for what the reader set, and lets the page have the last word', () => {
    const state = stateOfSearch({ q: '  oak ', client_id: '3', columns: 'name' });
    expect(queryOfState(state, { client_id: '9' })).toEqual({ limit: '50', q: 'oak', client_id: '9' });
  });
});
